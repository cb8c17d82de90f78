/** `carrel artifact`: what was made, by exports and by workflows. */
import { Option } from "commander";
import { ARTIFACT_STATES } from "../../library/artifact.ts";
import { type Builder, wholeNumber } from "../args.ts";
import { askYesNo } from "../ask.ts";
import { interruptedError } from "../errors.ts";
import { bytes, count, pairs, table, when } from "../format.ts";
import { clean } from "../width.ts";
import type { ArtifactDetailJson } from "../../http/artifact_schemas.ts";

interface ListOptions {
  readonly limit: number;
  readonly cursor?: string;
  readonly parent?: string;
  readonly run?: string;
  readonly state?: string;
}

interface DeleteOptions {
  readonly hard?: boolean;
  readonly yes?: boolean;
}

export function addArtifact({ program, action }: Builder): void {
  const artifact = program.command("artifact")
    .description("list, show and delete what was made (carrel content files saves it)");

  artifact.command("list")
    .description("list artifacts, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 50)
    .option("--cursor <cursor>", "go on where a list ended")
    .option("--parent <id>", "only what follows this artifact")
    .option("--run <id>", "only what this run makes")
    .addOption(new Option("--state <state>", "only of this state").choices(ARTIFACT_STATES))
    .action(action(async (session, { limit, cursor, parent, run, state }: ListOptions) => {
      const { client } = await session.connect();
      const list = await client.artifacts({ limit, cursor, parent, run, state });
      session.answer(list);
      const { width, style } = session;
      const columns = [
        { title: "id" },
        { title: "type" },
        { title: "made", paint: style.dim },
        { title: "state" },
        { title: "title", flexible: true },
      ];
      const rows = list.items.map((item) => [
        item.id,
        item.type,
        when(item.created),
        item.chosen === true ? `${item.state}, chosen` : item.state,
        item.title,
      ]);
      if (rows.length === 0) {
        session.note("Nothing here yet: carrel export, or carrel pipeline run");
      } else for (const line of table(columns, rows, { width, style })) session.print(line);
      if (list.cursor !== null) session.note(`More: --cursor ${list.cursor}`);
    }));

  artifact.command("show")
    .description("show one artifact, how far it is, and the other variants of its parent")
    .argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const item = await client.artifact(id) as ArtifactDetailJson;
      session.answer(item);
      const { width, style } = session;
      session.print(style.bold(clean(item.title)));
      for (const line of pairs(pairsOf(item), { width, style })) session.print(line);
    }));

  artifact.command("delete")
    .description("delete artifacts")
    .argument("<id...>")
    .option("--hard", "for good: files and text go; only a tombstone stays in the lineage")
    .option("--yes", "do not ask")
    .action(action(async (session, options: DeleteOptions, ids: string[]) => {
      const { client } = await session.connect();
      if (options.hard && !options.yes && session.io.terminal.in) {
        const question = `Delete ${count(ids.length, "artifact")} for good?`;
        const yes = await askYesNo(session.io, question, session.signal);
        if (!yes) throw interruptedError("Nothing is deleted.");
      }
      for (const id of ids) {
        await client.deleteArtifact(id, options.hard ?? false);
        session.print(`deleted ${id}`);
      }
      session.answer({ deleted: ids });
    }));
}

type Pairs = (readonly [string, string])[];

function some(name: string, value: string | null | undefined): Pairs {
  return value === null || value === undefined || value === "" ? [] : [[name, value]];
}

function pairsOf(item: ArtifactDetailJson): Pairs {
  const { reading } = item;
  const formats = Object.entries(reading.formats).map(([format, state]) => `${format} ${state}`);
  const siblings = (item.siblings ?? []).map(({ id, title, chosen }) =>
    `${id} (${title}${chosen === true ? ", chosen" : ""})`
  );
  return [
    ["id", item.id],
    ["type", item.type],
    ["state", `${item.state}; for you ${reading.state.replaceAll("_", " ")}`],
    ...some("formats", formats.join(", ")),
    ["made", `${when(item.created)} by ${item.plugin}`],
    ...some("sources", item.sources.map((source) => source.content).join(", ")),
    ...some("files", item.files.map((file) => `${file.name} (${bytes(file.size)})`).join(", ")),
    ...some("follows", item.parent),
    ...some("variant", item.variant_index === null ? null : String(item.variant_index + 1)),
    ...some("chosen", item.chosen === null ? null : item.chosen ? "yes" : "no"),
    ...some("beside it", siblings.join(", ")),
    ...some("version of", item.version_of),
    ...some("run", item.run),
    ["job", item.job],
  ];
}
