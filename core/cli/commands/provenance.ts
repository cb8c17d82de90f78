/** `carrel provenance`: where a thing came from. */
import { type Builder, wholeNumber } from "../args.ts";
import type { Client } from "../client.ts";
import { bounded } from "../follow.ts";
import { asCliError } from "../session.ts";
import { drawTree } from "../tree.ts";
import { clean } from "../width.ts";
import type { GenealogyJson } from "../wire.ts";

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
        if (session.json) return;
        const { width, style } = session;
        const deleted = await deletedOf(client, genealogy);
        for (const line of drawTree(genealogy, { width, style, depth: options.depth, deleted })) {
          session.print(line);
        }
        const part = genealogy.nodes.find((node) => node.type === "Part" && node.id !== id)?.id;
        if (part !== undefined) {
          session.note(style.dim(`One part alone: carrel provenance ${clean(part)}`));
        }
      }),
    );
}

/** More sources than this are not asked after one by one. */
const MOST_ASKED = 200;

/** The contents of a lineage that were deleted softly: the lineage itself still names them. */
async function deletedOf(client: Client, genealogy: GenealogyJson): Promise<Set<string>> {
  const contents = genealogy.nodes.filter(({ id, type }) =>
    id.startsWith("content_") && type !== "Tombstone"
  ).slice(0, MOST_ASKED);
  const deleted = new Set<string>();
  await bounded(contents, 8, async ({ id }) => {
    await client.content(id).catch((error) => {
      if (asCliError(error).code === "gone") deleted.add(id);
    });
  });
  return deleted;
}
