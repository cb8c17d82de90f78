/** `carrel run`: the runs of workflows. */
import { Option } from "commander";
import { JOB_STATUSES } from "../../jobs/job.ts";
import { type Builder, wholeNumber } from "../args.ts";
import { answerFlags, questionLines } from "../ask_step.ts";
import type { Client } from "../client.ts";
import { EXIT } from "../errors.ts";
import { failureLines, followRun } from "../follow_run.ts";
import { type Column, duration, pairs, shellWord, table, when } from "../format.ts";
import { outlineOf, type OutlineStep } from "../outline.ts";
import { gatherVars, inputsOf, looseInputs, readGiven } from "../run_inputs.ts";
import { outputLines, skippedLines } from "../run_output.ts";
import { withLines } from "../run_target.ts";
import type { Session } from "../session.ts";
import { createStepTree } from "../step_tree.ts";
import { clean } from "../width.ts";
import { hasEnded, type RunHeadJson, type RunJson } from "../wire.ts";
import { answer, type AnswerOptions, paint, waitingSteps } from "./run_answer.ts";
import { VAR_FILE_HELP, VAR_HELP, type VarOptions } from "./pipeline.ts";

interface DetachOptions {
  readonly from?: string;
  readonly detach?: boolean;
}

export function addRun({ program, action }: Builder): void {
  const run = program.command("run")
    .description("list, show, watch, answer, retry, fork and cancel runs of workflows");

  run.command("list")
    .description("list runs, newest first")
    .option("--limit <number>", "at most so many", wholeNumber(1, 200), 20)
    .option("--cursor <cursor>", "go on where a list ended")
    .option("--workflow <name>", "only of this workflow")
    .addOption(new Option("--status <status>", "only of this status").choices(JOB_STATUSES))
    .action(action(async (session, options: Parameters<Client["runs"]["list"]>[0] & object) => {
      const { client } = await session.connect();
      const { limit, cursor, workflow, status } = options;
      const page = await client.runs.list({ limit, cursor, workflow, status });
      session.answer(page);
      if (page.items.length === 0) return session.note("No runs.");
      const { width, style } = session;
      const columns: Column[] = [
        { title: "id" },
        { title: "status", paint: (text, row) => paint(session, page.items[row]!.status)(text) },
        { title: "%", align: "right" },
        { title: "made", paint: style.dim },
        { title: "took", align: "right" },
        { title: "workflow", flexible: true },
        { title: "", flexible: true, paint: style.dim },
      ];
      const rows = page.items.map((item) => [
        item.id,
        item.status,
        String(Math.round(item.progress)),
        when(item.created),
        took(item),
        item.workflow,
        item.error?.message ?? (hasEnded(item.status) ? "" : item.message ?? ""),
      ]);
      for (const line of table(columns, rows, { width, style })) session.print(line);
      if (page.cursor !== null) session.note(`More: --cursor ${page.cursor}`);
    }));

  run.command("show").description("show a run: its steps, its questions, its result")
    .argument("<id>")
    .option("--step <path>", "only this step, with what it was given and what came out of it")
    .action(action(async (session, options: { step?: string }, id: string) => {
      const { client } = await session.connect();
      if (options.step !== undefined) {
        const step = await client.runs.step(id, options.step);
        session.answer(step);
        return session.print(JSON.stringify(step, null, 2));
      }
      const found = await client.runs.get(id, session.json);
      session.answer(found);
      show(session, found, session.json ? undefined : await outlineFor(client, found));
    }));

  run.command("watch").description("follow a run to its end; on a terminal, answer its questions")
    .argument("<id>")
    .action(action((session, _options, id: string) =>
      withLines(session, async () => {
        const { client, own } = await session.connect();
        const outline = await outlineFor(client, await client.runs.get(id));
        return await followRun(session, id, {
          client,
          own: own !== undefined,
          interrupt: "leave",
          outline,
        });
      })
    ));

  run.command("answer").description("answer a step that waits for a person")
    .argument("<id>")
    .option("--step <path>", "which step, where several wait")
    .option("--choice <number>", "the option of this number, from 1", wholeNumber(1, 1_000_000))
    .option("--approve", "yes")
    .option("--reject", "no: the step fails")
    .option("--value <json>", "the value: JSON where the step wants it, else a text")
    .option("--comment <text>", "goes with --approve and --reject")
    .addHelpText(
      "after",
      `
Without --choice, --approve, --reject and --value it shows the question, and on a terminal asks it.

Examples:
  carrel run answer run_01… --choice 2
  carrel run answer run_01… --step review --reject --comment 'too long'
  carrel run answer run_01… --value 'Go to the library'`,
    )
    .action(action((session, options: AnswerOptions, id: string) => answer(session, id, options)));

  run.command("retry").description("run a failed or cancelled run again; what is completed stays")
    .argument("<id>")
    .option("--from <step>", "from this step on (default: from the failed ones)")
    .option("--detach", "start it, and do not wait for its end")
    .action(action((session, options: DetachOptions, id: string) =>
      withLines(session, async () => {
        const { client } = await session.connect();
        const again = await client.runs.retry(id, options.from);
        return await follow(session, again, options.detach);
      })
    ));

  run.command("fork")
    .description("start a new run with other inputs, with the results of the steps before one")
    .argument("<id>")
    .requiredOption("--from <step>", "the first step that is done anew")
    .option("--var <name=value>", VAR_HELP, gatherVars)
    .option("--var-file <name=path>", VAR_FILE_HELP, gatherVars)
    .option("--detach", "start it, and do not wait for its end")
    .addHelpText(
      "after",
      `
It has the definition of the first run, whatever the file says by now: start a corrected one with carrel pipeline run.
What the first run made and finished is not changed: fork from the step that creates an artifact to have another.

Example:
  carrel run fork run_01… --from placeholder --var 'languages=["it"]'`,
    )
    .action(
      action((session, options: DetachOptions & VarOptions, id: string) =>
        withLines(session, async () => {
          const { client } = await session.connect();
          const before = await client.runs.get(id);
          const given = await readGiven(session.io, options.var, options.varFile);
          const known = await definitionOf(client, before);
          const names = given.map(({ name }) => name);
          // What is not given stays as it was in the first run.
          const schemas = Object.fromEntries(
            Object.entries(known?.inputs ?? {}).map(([name, schema]) => [
              name,
              names.includes(name) ? schema : { ...schema, nullable: true },
            ]),
          );
          const inputs = known === undefined
            ? looseInputs(given)
            : await inputsOf(before.workflow, schemas, given);
          const fork = await client.runs.fork(id, options.from!, inputs);
          session.note(`Forked from ${id}: ${fork.id}`);
          return await follow(session, fork, options.detach);
        })
      ),
    );

  run.command("cancel").description("cancel runs and all that runs of them").argument("<id...>")
    .action(action(async (session, _options, ids: string[]) => {
      const { client } = await session.connect();
      const runs: RunJson[] = [];
      for (const id of ids) {
        const cancelled = await client.runs.cancel(id);
        runs.push(cancelled);
        session.print(`${id}  ${paint(session, cancelled.status)(cancelled.status)}`);
      }
      session.answer({ runs });
    }));
}

function took({ started, completed }: RunHeadJson): string {
  if (started === null || completed === null) return "";
  return duration(Date.parse(completed) - Date.parse(started));
}

/** The definition of a run, where it still is that of a file of the server. */
async function definitionOf(client: Client, run: RunJson) {
  const workflow = await client.runs.workflow(run.workflow).catch(() => undefined);
  return workflow?.digest === run.digest ? workflow : undefined;
}

async function outlineFor(client: Client, run: RunJson): Promise<OutlineStep[]> {
  return outlineOf((await definitionOf(client, run))?.definition ?? null);
}

async function follow(session: Session, run: RunJson, detach: boolean | undefined) {
  const { client, own } = await session.connect();
  if (detach) {
    session.event({ type: "result", run, exit: EXIT.ok, detached: true });
    session.print(`${run.id}  ${paint(session, run.status)(run.status)}`);
    return EXIT.ok;
  }
  return await followRun(session, run.id, {
    client,
    own: own !== undefined,
    interrupt: "cancel",
    outline: await outlineFor(client, run),
  });
}

function show(session: Session, run: RunJson, outline: OutlineStep[] | undefined): void {
  const { style, width } = session;
  session.print(`${style.bold(run.id)}  ${paint(session, run.status)(run.status)}`);
  const inputs = Object.entries(run.inputs).map(([name, value]) => {
    const text = JSON.stringify(value);
    return `${name}=${text.length > 60 ? `${text.slice(0, 59)}…` : text}`;
  });
  const lines = pairs([
    ["workflow", run.workflow],
    ["progress", `${Math.round(run.progress)}%${run.message ? `: ${run.message}` : ""}`],
    ...(inputs.length === 0 ? [] : [["inputs", inputs.join(" ")] as const]),
    ...(run.ensure_key === null ? [] : [["ensure", run.ensure_key] as const]),
    ...(run.forked_from === null ? [] : [["forked from", run.forked_from] as const]),
    ["made", when(run.created)],
    ...(run.completed === null
      ? []
      : [["ended", `${when(run.completed)}, after ${took(run)}`] as const]),
  ], { width, style });
  for (const line of lines) session.print(line);
  const tree = createStepTree(outline);
  for (const step of run.steps) tree.put(step);
  session.print();
  const drawn = tree.lines({
    style,
    width: Math.min(width, 160),
    now: Date.now(),
    whole: true,
    ended: hasEnded(run.status),
  });
  for (const line of drawn) session.print(line);
  for (const step of waitingSteps(run)) {
    session.print();
    for (const line of questionLines(step.path, step.question!, style, width)) session.print(line);
    session.print(
      `${style.dim("  →")} carrel run answer ${run.id} --step ${shellWord(clean(step.path))} ${
        answerFlags(step.question!)
      }`,
    );
  }
  const outputs = outputLines(run.outputs, session);
  if (outputs.length > 0) session.print();
  for (const line of [...outputs, ...failureLines(session, run)]) session.print(line);
  for (const line of skippedLines(run)) session.print(style.yellow(line));
}
