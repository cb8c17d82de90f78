/** `carrel pipeline`: runs a definition and shows how it goes. */
import { type Builder, wholeNumber } from "../args.ts";
import { EXIT, type ExitCode } from "../errors.ts";
import { followRun } from "../follow_run.ts";
import { planLines } from "../plan_lines.ts";
import { gatherVars, type Given, inputsOf, readGiven } from "../run_inputs.ts";
import { askHost, findTarget, type Target, withLines } from "../run_target.ts";
import type { Session } from "../session.ts";

/** The options that give the inputs of a run. */
export interface VarOptions {
  readonly var?: Given[];
  readonly varFile?: Given[];
}

interface RunOptions extends VarOptions {
  readonly dryRun?: boolean;
  readonly ensure?: string;
  readonly detach?: boolean;
  readonly priority?: number;
}

export const VAR_HELP = "an input: JSON where the input wants it, else a text (several times)";
export const VAR_FILE_HELP = "an input out of a file, - for standard input (several times)";

const HELP = `
FILE is a path with a / or a name that ends in .yaml; NAME is a workflow of the server (carrel workflow list).

Examples:
  carrel pipeline run single-text --var topic='Desks in libraries' --var 'languages=["de", "fr"]'
  carrel pipeline run my-story.yaml --var-file chapter=chapter.md --dry-run
  carrel pipeline run single-text --var topic=Desks --ensure desks --json

A step that waits for a person asks on a terminal; elsewhere it says how to answer (carrel run answer), and waits.
Ctrl-C cancels the run; once more ends at once.

With --json each line is one of
  {"type": "run", "at", "run": {id, workflow, status, progress, …}}     the run has changed
  {"type": "step", "at", "run_id", "step": {path, kind, state, …}}      a step has begun, gone on or ended
  {"type": "plan", "plan": {workflow, steps, missing}}                  the only line, with --dry-run
  {"type": "result", "run": {…, outputs, steps}, "exit"}                the last line
  {"type": "result", "run": {…}, "exit": 0, "detached": true}           the only line, with --detach
  {"type": "error", "error": {code, message, hint, details, exit}}      the last line, where there is no result

Exit codes: 0 completed, 1 failed, 2 the definition or its inputs are wrong, 4 no server, 130 cancelled.`;

export function addPipeline({ program, action }: Builder): void {
  const pipeline = program.command("pipeline").description("run a pipeline and watch it");

  pipeline.command("run")
    .description("run a definition: a file, or a workflow by its name")
    .argument("<file-or-name>", "a .yaml file, - for standard input, or the name of a workflow")
    .option("--var <name=value>", VAR_HELP, gatherVars)
    .option("--var-file <name=path>", VAR_FILE_HELP, gatherVars)
    .option("--dry-run", "show what would be done and what it may do, and do nothing")
    .option(
      "--ensure <key>",
      "take the run that has this key, if there is one, instead of a new one",
    )
    .option("--detach", "start it, and do not wait for its end")
    .option("--priority <1-10>", "10 goes first (default: 5)", wholeNumber(1, 10))
    .addHelpText("after", HELP)
    .action(
      action((session, options: RunOptions, word: string) =>
        withLines(session, () => runPipeline(session, word, options))
      ),
    );
}

/** The inputs of a target, as the options give them. */
export async function inputsFor(
  session: Session,
  target: Target,
  options: VarOptions,
): Promise<Record<string, unknown>> {
  const given = await readGiven(session.io, options.var, options.varFile);
  return await inputsOf(target.word, target.inputs, given);
}

/** Shows what a run would do. */
export async function showPlan(
  session: Session,
  target: Target,
  inputs: Readonly<Record<string, unknown>>,
): Promise<ExitCode> {
  const { client } = await session.connect();
  const plan = await askHost(session, target, () => client.runs.plan(target.ref, inputs));
  session.event({ type: "plan", plan });
  for (const line of planLines(plan, session)) session.print(line);
  return EXIT.ok;
}

async function runPipeline(
  session: Session,
  word: string,
  options: RunOptions,
): Promise<ExitCode> {
  const target = await findTarget(session, word);
  const inputs = await inputsFor(session, target, options);
  if (options.dryRun) return await showPlan(session, target, inputs);
  const { client, own } = await session.connect();
  const { id } = await askHost(
    session,
    target,
    () =>
      client.runs.start(target.ref, {
        inputs,
        ensure_key: options.ensure,
        priority: options.priority,
      }, session.signal),
  );
  if (options.detach) {
    session.event({
      type: "result",
      run: await client.runs.get(id),
      exit: EXIT.ok,
      detached: true,
    });
    session.print(id);
    session.note(
      own === undefined
        ? `It goes on in the server: carrel run watch ${id}`
        : `No server runs on this library: it goes on when one does (carrel serve).`,
    );
    return EXIT.ok;
  }
  return await followRun(session, id, {
    client,
    own: own !== undefined,
    interrupt: "cancel",
    outline: target.outline,
  });
}
