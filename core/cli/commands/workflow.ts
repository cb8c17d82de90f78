/** `carrel workflow`: the definitions that can be run by name, and whether a file is one. */
import type { Builder } from "../args.ts";
import { problemLines, readDefinition } from "../definition_file.ts";
import { EXIT } from "../errors.ts";
import { type Column, count, table } from "../format.ts";
import { outlineOf } from "../outline.ts";
import { gatherVars, inputLines } from "../run_inputs.ts";
import { errStyleOf, findTarget, withLines } from "../run_target.ts";
import type { Session } from "../session.ts";
import { clean, cut, widthOf, wrap } from "../width.ts";
import type { WorkflowDetailJson } from "../wire.ts";
import { inputsFor, showPlan, VAR_FILE_HELP, VAR_HELP, type VarOptions } from "./pipeline.ts";

export function addWorkflow({ program, action }: Builder): void {
  const workflow = program.command("workflow")
    .description("list, show, check and plan workflows");

  workflow.command("list")
    .description("list the workflows that can be run by name")
    .action(action(async (session) => {
      const { client } = await session.connect();
      const { items } = await client.runs.workflows();
      session.answer({ items });
      if (items.length === 0) {
        return session.note("No workflows: they are config/pipelines/*.yaml.");
      }
      const { style, width } = session;
      const columns: Column[] = [
        { title: "name", paint: (text, row) => items[row]!.inputs ? text : style.red(text) },
        { title: "inputs", flexible: true },
        { title: "what", flexible: true, paint: style.dim },
      ];
      const rows = items.map(({ name, title, description, inputs, problems }) => [
        name,
        inputs === null ? count(problems.length, "problem") : Object.keys(inputs).join(", "),
        title ?? description ?? problems[0]?.message ?? "",
      ]);
      for (const line of table(columns, rows, { width, style })) session.print(line);
    }));

  workflow.command("show").description("show one: its inputs and its steps").argument("<name>")
    .action(action(async (session, _options, name: string) => {
      const { client } = await session.connect();
      const found = await client.runs.workflow(name);
      session.answer(found);
      show(session, found);
      return found.definition === null ? EXIT.usage : EXIT.ok;
    }));

  workflow.command("validate")
    .description("check definitions in files, without a server")
    .argument("<file...>", "a .yaml file, or - for standard input")
    .addHelpText(
      "after",
      `
A call of a capability that is not known but nearly so is warned of: a plugin may provide it.

Exit codes: 0 all are fine, 2 one of them is wrong.`,
    )
    .action(action(async (session, _options, files: string[]) => {
      const style = errStyleOf(session);
      const checked = [];
      const { capabilityWarnings } = await import("../../workflows/capability_hints.ts");
      for (const file of files) {
        const read = await readDefinition(session.io, file);
        const { definition } = read;
        checked.push({ ...read, warnings: definition ? capabilityWarnings(definition) : [] });
      }
      session.answer({
        files: checked.map(({ file, definition, problems, warnings }) => ({
          file,
          valid: definition !== undefined,
          name: definition?.name ?? null,
          problems,
          warnings,
        })),
      });
      for (const { file, yaml, definition, problems, warnings } of checked) {
        if (definition !== undefined) {
          const steps = count(outlineOf(definition).length, "step");
          session.print(`${session.style.green("✓")} ${clean(file)}: ${definition.name}, ${steps}`);
          for (const { line, message } of warnings) {
            session.note(`${style.yellow("!")} ${clean(`${file}:${line}: ${message}`)}`);
          }
        } else if (!session.json) {
          const lines = problems.flatMap((one) => problemLines(file, yaml, one, style));
          session.io.err.write(lines.join("\n") + "\n");
        }
      }
      return checked.every(({ definition }) => definition) ? EXIT.ok : EXIT.usage;
    }));

  workflow.command("plan")
    .description("show what a run would do and what its plugins may do, without doing it")
    .argument("<name-or-file>")
    .option("--var <name=value>", VAR_HELP, gatherVars)
    .option("--var-file <name=path>", VAR_FILE_HELP, gatherVars)
    .addHelpText("after", "\nExample:\n  carrel workflow plan single-text --var topic=Desks")
    .action(action((session, options: VarOptions, word: string) =>
      withLines(session, async () => {
        const target = await findTarget(session, word);
        return await showPlan(session, target, await inputsFor(session, target, options));
      })
    ));
}

function show(session: Session, workflow: WorkflowDetailJson): void {
  const { style, width } = session;
  const { name, title, description, file, inputs, problems, definition } = workflow;
  session.print(`${style.bold(clean(name))}  ${style.dim(clean(file))}`);
  for (const text of [title, description]) {
    if (text === null) continue;
    for (const line of wrap(clean(text), Math.min(width, 100))) session.print(line);
  }
  for (const problem of problems) {
    for (const line of problemLines(file, "", problem, style)) session.print(line);
  }
  if (inputs === null) return;
  session.print();
  for (const line of inputLines(inputs, width)) session.print(line);
  session.print();
  session.print("Its steps:");
  const outline = outlineOf(definition).map(({ path, kind, title }) => {
    const depth = path.split(/[.[]/).filter((part) => part !== "]").length;
    return { left: `${"  ".repeat(depth)}${path.split(/[.\]]/).at(-1)}`, kind, title };
  });
  const names = Math.max(...outline.map(({ left }) => widthOf(left)));
  for (const { left, kind, title } of outline) {
    const padded = left + " ".repeat(names - widthOf(left));
    const words = title === undefined || kind === "branch" ? kind : `${kind}  ${clean(title)}`;
    session.print(cut(`${padded}  ${words}`, width));
  }
}
