/** A plan for a person: the steps, who would do each, and what that plugin may do. */
import { count } from "./format.ts";
import { outlinePath } from "./outline.ts";
import type { Session } from "./session.ts";
import { clean, cut, fit, widthOf, wrap } from "./width.ts";
import type { PlanJson } from "./wire.ts";

export function planLines(
  plan: PlanJson,
  { style, width }: Pick<Session, "style" | "width">,
): string[] {
  const rows = plan.steps.map((step) => {
    const depth = step.path.split(/[.[]/).filter((part) => part !== "]").length - 1;
    return { step, name: `${"  ".repeat(depth)}${clean(nameOf(step.path))}` };
  });
  const names = Math.max(8, ...rows.map(({ name }) => widthOf(name)));
  const kinds = Math.max(...rows.map(({ step }) => widthOf(what(step))), 4);
  const lines = rows.map(({ step, name }) => {
    const mark = step.skipped === null ? style.cyan("·") : style.yellow("–");
    const by = step.skipped !== null
      ? style.yellow(`skipped: ${clean(step.skipped)}`)
      : step.waits !== null
      ? clean(`for ${step.waits}`)
      : step.plugin === null
      ? ""
      : clean(step.plugin);
    const left = `${mark} ${fit(name, names)}  ${style.dim(fit(what(step), kinds))}`;
    return `${left}  ${by}`.trimEnd();
  });
  const plugins = new Map<string, readonly string[]>();
  for (const { plugin, permissions } of plan.steps) {
    if (plugin !== null && plugin !== "host") plugins.set(plugin, permissions);
  }
  const room = Math.min(width, 100) - 4;
  return [
    `${style.bold(clean(plan.workflow))}  ${style.dim(count(plan.steps.length, "step"))}`,
    ...lines,
    ...[...plugins].flatMap(([plugin, permissions]) => [
      "",
      `${style.bold(clean(plugin))} may`,
      ...(permissions.length === 0 ? ["nothing: it gets what a step gives it"] : permissions)
        .flatMap((text) => wrap(clean(text), room)).map((line) => `  ${line}`),
    ]),
    ...(plan.missing.length === 0 ? [] : [
      "",
      style.yellow(`${count(plan.missing.length, "permission")} not granted:`),
      ...plan.missing.map(({ plugin, text }) => cut(`  ${clean(plugin)}: ${clean(text)}`, width)),
    ]),
  ];
}

function what(step: PlanJson["steps"][number]): string {
  return clean(step.capability === null ? step.kind : `call ${step.capability}`);
}

/** The last word of a path, with the branch in front of it. */
function nameOf(path: string): string {
  return /[^.[\]]+$/.exec(outlinePath(path))?.[0] ?? path;
}
