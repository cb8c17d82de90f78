/** `carrel provenance`: where a thing came from. */
import { type Builder, wholeNumber } from "../args.ts";
import { drawTree } from "../tree.ts";
import { clean } from "../width.ts";

export function addProvenance({ program, action }: Builder): void {
  program.command("provenance")
    .description("where a content, an artifact or a part of one came from")
    .argument("<id>")
    .option("--depth <number>", "how many steps back", wholeNumber(1, 50), 10)
    .option("--attribution", "instead the text that credits the sources of an artifact")
    .action(
      action(async (session, options: { depth: number; attribution?: boolean }, id: string) => {
        const { client } = await session.connect();
        if (options.attribution) {
          const report = await client.attribution(id);
          session.answer(report);
          for (const line of report.text.trimEnd().split("\n")) session.print(clean(line));
          return;
        }
        const genealogy = await client.genealogy(id, options.depth);
        session.answer(genealogy);
        const { width, style } = session;
        for (const line of drawTree(genealogy, { width, style, depth: options.depth })) {
          session.print(line);
        }
      }),
    );
}
