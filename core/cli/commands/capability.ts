/** `carrel capability`: what plugins can be asked for, and asking. */
import { resolve } from "node:path";
import type { CapabilityResult } from "../../capabilities/capabilities.ts";
import { type Builder, wholeNumber } from "../args.ts";
import { usageError } from "../errors.ts";
import { followJob, interruptJobs, mustComplete } from "../follow.ts";
import { table } from "../format.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";
import type { JobJson } from "../wire.ts";

interface CallOptions {
  readonly input?: string;
  readonly provider?: string;
  readonly priority?: number;
}

/** The input: JSON itself, or `@file`. */
async function readInput(session: Session, text: string): Promise<unknown> {
  let json = text;
  if (text.startsWith("@")) {
    const file = resolve(session.io.cwd, text.slice(1));
    json = await Deno.readTextFile(file).catch((error) => {
      throw usageError(`Cannot read the input: ${error.message}`);
    });
  }
  try {
    return JSON.parse(json);
  } catch (error) {
    throw usageError(
      `Cannot read the input: ${(error as Error).message}.`,
      `--input '{"prompt": "…"}', or --input @file.json`,
    );
  }
}

export function addCapability({ program, action }: Builder): void {
  const capability = program.command("capability")
    .description("list and call what plugins offer to each other");

  capability.command("list").description("list capabilities and who provides them")
    .action(action(async (session) => {
      const { client } = await session.connect();
      const answer = await client.capabilities.list();
      session.answer(answer);
      const rows = answer.items.flatMap(({ name, description, providers }) =>
        providers.map(({ plugin, down }, i) => [
          i === 0 ? name : "",
          plugin,
          down ?? (i === 0 ? description ?? "" : "next in line"),
        ])
      );
      if (rows.length === 0) return session.note("No plugin offers a capability.");
      const columns = [
        { title: "capability" },
        { title: "provider" },
        { title: "what", flexible: true, paint: session.style.dim },
      ];
      const { width, style } = session;
      for (const line of table(columns, rows, { width, style })) session.print(line);
    }));

  capability.command("call").description("call one, and print what comes of it")
    .argument("<name>", "for example text.generate")
    .requiredOption("--input <json|@file>", "what it is given, as JSON")
    .option("--provider <plugin>", "this plugin and no other")
    .option("--priority <1-10>", "10 goes first (default: 5)", wholeNumber(1, 10))
    .action(action(async (session, options: CallOptions, name: string) => {
      const input = await readInput(session, options.input ?? "");
      const { client, own } = await session.connect();
      const { provider, priority } = options;
      const { job: started } = await client.capabilities.call(name, { input, provider, priority });
      const board = session.board();
      const bar = board.add(name);
      let job: JobJson;
      try {
        job = await followJob(client, started.id, bar, { signal: session.signal });
      } catch (error) {
        if (!session.signal.aborted) throw error;
        bar.end(own ? "cancelled" : "left", own ? undefined : "in the server");
        board.close();
        throw await interruptJobs(session, [started.id]);
      }
      board.close();
      const result = mustComplete(job).result as CapabilityResult;
      session.answer({ ...result, job: job.id });
      show(session, result);
    }));
}

/** A text as it is, other results as JSON; who made it goes to standard error. */
function show(session: Session, { value, provider, usage, skipped }: CapabilityResult): void {
  const { text } = (value ?? {}) as { text?: unknown };
  session.print(
    typeof value === "string"
      ? clean(value)
      : typeof text === "string"
      ? text.split("\n").map(clean).join("\n")
      : JSON.stringify(value, null, 2),
  );
  const { style } = session;
  for (const { plugin, why } of skipped) {
    session.note(style.yellow(`${plugin} did not serve: ${clean(why)}`));
  }
  const { model } = (value ?? {}) as { model?: unknown };
  const made = typeof model === "string" ? `${provider.id} (${clean(model)})` : provider.id;
  const cost = usage.map(({ model, input_tokens, output_tokens, cost, currency }) => {
    const tokens = (input_tokens ?? 0) + (output_tokens ?? 0);
    const money = cost === undefined ? "" : `, ${cost} ${currency ?? "USD"}`;
    return `; ${clean(model)}: ${tokens} tokens${money}`;
  }).join("");
  session.note(style.dim(`${made}${cost}`));
}
