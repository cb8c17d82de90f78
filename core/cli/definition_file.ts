/** A definition in a file: read, checked before any host is asked, and what is wrong with it shown where it stands. */
import { basename, resolve } from "node:path";
import { CliError, EXIT } from "./errors.ts";
import { count } from "./format.ts";
import type { Io } from "./io.ts";
import type { Style } from "./format.ts";
import { clean, cut, widthOf } from "./width.ts";
import type { DefinitionProblemJson } from "./wire.ts";
import type { WorkflowDefinition } from "../workflows/definition.ts";

export interface DefinitionFile {
  /** As the person wrote it. */
  readonly file: string;
  readonly yaml: string;
  /** Undefined where it is wrong. */
  readonly definition: WorkflowDefinition | undefined;
  readonly problems: readonly DefinitionProblemJson[];
}

/** Whether a word names a file, not a workflow of the server. */
export function isFile(word: string): boolean {
  return word === "-" || /[\\/]/.test(word) || /\.ya?ml$/i.test(word);
}

/** Throws a usage error for a file that cannot be read. */
export async function readDefinition(io: Io, file: string): Promise<DefinitionFile> {
  let yaml: string;
  try {
    yaml = file === "-"
      ? await new Response(io.stdin()).text()
      : await Deno.readTextFile(resolve(io.cwd, file));
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    throw new CliError(
      "file_not_found",
      `Cannot read the pipeline "${file}": ${missing ? "there is no such file" : why(cause)}.`,
      {
        exit: EXIT.usage,
        cause,
        hint: "carrel workflow list shows the workflows that can be named without a file.",
      },
    );
  }
  const { workflowOf } = await import("../workflows/load.ts");
  const shown = file === "-" ? "<stdin>" : file;
  const { definition, problems } = await workflowOf(yaml, { file: basename(shown) });
  return { file: shown, yaml, definition, problems };
}

function why(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The definition; throws `invalid_workflow` (exit 2) with the problems for one that is wrong. */
export function soundDefinition(read: DefinitionFile, style: Style): WorkflowDefinition {
  if (read.definition !== undefined) return read.definition;
  throw invalidDefinition(read, style);
}

/** The error of a definition: its message has a part for each problem. */
export class DefinitionError extends CliError {
  constructor(message: string, readonly lines: readonly string[], problems: readonly unknown[]) {
    super("invalid_workflow", message, { exit: EXIT.usage, details: { problems } });
  }
}

export function invalidDefinition(
  { file, yaml, problems }: Pick<DefinitionFile, "file" | "yaml" | "problems">,
  style: Style,
): DefinitionError {
  return new DefinitionError(
    `Cannot run "${file}": ${count(problems.length, "problem")}.`,
    problems.flatMap((problem) => problemLines(file, yaml, problem, style)),
    problems,
  );
}

/** Columns of a source line that are shown. */
const MOST_SOURCE = 100;

/** `file:line:column: message`, the line, and a caret below the place. */
export function problemLines(
  file: string,
  yaml: string,
  { line, column, message }: DefinitionProblemJson,
  style: Style,
): string[] {
  const head = `${clean(file)}:${line}:${column}: `;
  const lines = [`${style.bold(head)}${style.red(clean(message))}`];
  const source = yaml.split(/\r\n|\r|\n/)[line - 1];
  if (source === undefined || source.trim() === "") return lines;
  const text = clean(source);
  // A long line is shown from a little before the place.
  const from = column > MOST_SOURCE - 20 ? column - 21 : 0;
  const before = (from > 0 ? "…" : "") + text.slice(from, column - 1);
  const number = String(line);
  return [
    ...lines,
    `${style.dim(`  ${number} | `)}${cut((from > 0 ? "…" : "") + text.slice(from), MOST_SOURCE)}`,
    `${style.dim(`  ${" ".repeat(number.length)} | `)}${" ".repeat(widthOf(before))}${
      style.red("^")
    }`,
  ];
}
