/** What a person names when he says what to run: a file with a definition, or a workflow of the server. */
import {
  DefinitionError,
  invalidDefinition,
  isFile,
  problemLines,
  readDefinition,
  soundDefinition,
} from "./definition_file.ts";
import { CliError, EXIT, type ExitCode } from "./errors.ts";
import { createStyle, type Style, wantsColours } from "./format.ts";
import { outlineOf, type OutlineStep } from "./outline.ts";
import type { WorkflowRef } from "./run_client.ts";
import type { InputSchemas } from "./run_inputs.ts";
import { asCliError, type Session } from "./session.ts";
import type { DefinitionProblemJson, WorkflowDetailJson } from "./wire.ts";

export interface Target {
  /** What the person called it. */
  readonly word: string;
  readonly name: string;
  readonly ref: WorkflowRef;
  readonly inputs: InputSchemas;
  readonly outline: readonly OutlineStep[];
}

export function errStyleOf({ io }: Session): Style {
  return createStyle(wantsColours(io.terminal.err, io.env));
}

/** A file is read and checked here, before any host is asked. Throws exit 2 for a definition that is wrong. */
export async function findTarget(session: Session, word: string): Promise<Target> {
  const style = errStyleOf(session);
  if (isFile(word)) {
    const read = await readDefinition(session.io, word);
    const definition = soundDefinition(read, style);
    return {
      word,
      name: definition.name,
      ref: { yaml: read.yaml },
      inputs: definition.inputs,
      outline: outlineOf(definition),
    };
  }
  const { client } = await session.connect();
  let workflow: WorkflowDetailJson;
  try {
    workflow = await client.runs.workflow(word);
  } catch (error) {
    const said = asCliError(error);
    if (said.code !== "not_found") throw error;
    throw new CliError(said.code, said.message, {
      exit: EXIT.usage,
      hint:
        `carrel workflow list shows the workflows there are; a file is named with its path: ./${word}.yaml`,
    });
  }
  const { name, definition, inputs, problems, file } = workflow;
  if (definition === null || inputs === null) {
    throw new DefinitionError(
      `Cannot run "${name}": its file is wrong.`,
      problems.flatMap((one) => problemLines(file, "", one, style)),
      problems,
    );
  }
  return { word, name, ref: { name }, inputs, outline: outlineOf(definition) };
}

/** Asks a host about a target: what it says of a wrong definition or wrong inputs becomes exit 2. */
export async function askHost<T>(
  session: Session,
  target: Target,
  ask: () => Promise<T>,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const said = asCliError(error);
    const problems = said.details?.["problems"];
    if (said.code === "invalid_workflow" && Array.isArray(problems) && "yaml" in target.ref) {
      throw invalidDefinition({
        file: target.word,
        yaml: target.ref.yaml,
        problems: problems as DefinitionProblemJson[],
      }, errStyleOf(session));
    }
    const isLarge = said.code === "too_large";
    if (said.code !== "invalid_workflow" && said.code !== "invalid_parameters" && !isLarge) {
      throw error;
    }
    throw new CliError(said.code, said.message, {
      exit: EXIT.usage,
      hint: isLarge ? "Import what is large, and give its id as the input." : said.hint,
      details: said.details,
    });
  }
}

/**
 * Runs the work of a command whose `--json` is a line for each event: its failure is a line too, the last one. The
 * problems of a definition are said where they stand.
 */
export async function withLines(
  session: Session,
  work: () => Promise<ExitCode | void>,
): Promise<ExitCode | void> {
  try {
    return await work();
  } catch (error) {
    const said = asCliError(error);
    if (session.json) {
      const { code, message, hint, details, exit } = said;
      session.event({ type: "error", error: { code, message, hint, details, exit } });
      return exit;
    }
    if (said instanceof DefinitionError) session.io.err.write(said.lines.join("\n") + "\n");
    throw error;
  }
}
