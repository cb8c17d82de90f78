/** Finds one's way in a definition: lists of steps, paths, what needs what. */
import type { Step, WorkflowDefinition } from "./definition.ts";
import type { Journal } from "./journal.ts";

/** A list of steps as it stands within a run. */
export interface StepList {
  /** In front of the ids of its steps in their paths: empty at the top, `languages[2].`, `both.left.`. */
  readonly prefix: string;
  readonly steps: readonly Step[];
}

/** One level on the way to a path, outermost first. */
export interface Level {
  readonly list: StepList;
  readonly step: Step;
  /** The branch or item that the way leads through, or ends at: its path. */
  readonly child: string | undefined;
}

/** The ids that a step waits for. */
export function needsOf(steps: readonly Step[], step: Step): readonly string[] {
  if (step.needs !== undefined && step.needs !== null) return step.needs;
  const above = steps[steps.indexOf(step) - 1];
  return above === undefined ? [] : [above.id];
}

/** The ids of a list's steps that wait for this one, one by one or by way of others. */
export function following(steps: readonly Step[], id: string): Set<string> {
  const found = new Set<string>();
  let size = -1;
  while (size !== found.size) {
    size = found.size;
    for (const step of steps) {
      if (needsOf(steps, step).some((need) => need === id || found.has(need))) found.add(step.id);
    }
  }
  return found;
}

/** The ids of a list's steps that this one waits for, one by one or by way of others. */
export function preceding(steps: readonly Step[], id: string): Set<string> {
  const found = new Set<string>();
  const left = [id];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const step = steps.find((other) => other.id === next);
    for (const need of step === undefined ? [] : needsOf(steps, step)) {
      if (found.has(need)) continue;
      found.add(need);
      left.push(need);
    }
  }
  return found;
}

/** The lists of a container, each with the path of its branch; a foreach has one for each item instead. */
export function branchesOf(step: Step, path: string): { path: string; list: StepList }[] {
  const branches: Readonly<Record<string, readonly Step[]>> = step.kind === "parallel"
    ? step.branches
    : step.kind === "if"
    ? { then: step.then, else: step.else }
    : {};
  return Object.entries(branches).map(([name, steps]) => ({
    path: `${path}.${name}`,
    list: { prefix: `${path}.${name}.`, steps },
  }));
}

/** The branches or items of a container that were begun, each with its list; items in their order. */
export function childrenOf(
  step: Step,
  path: string,
  journal: Journal,
): { path: string; list: StepList }[] {
  if (step.kind !== "foreach") {
    return branchesOf(step, path).filter((branch) => journal.get(branch.path) !== undefined);
  }
  const { open, ended } = journal.items(path);
  return [...open, ...ended].sort((a, b) => a - b).map((index) => ({
    path: `${path}[${index}]`,
    list: { prefix: `${path}[${index}].`, steps: step.steps },
  }));
}

export function isContainer(step: Step): boolean {
  return step.kind === "foreach" || step.kind === "parallel" || step.kind === "if";
}

/** The way to a step, an item or a branch; undefined where the definition has no such place. */
export function wayTo(definition: WorkflowDefinition, path: string): Level[] | undefined {
  const way: Level[] = [];
  let list: StepList = { prefix: "", steps: definition.steps };
  const parts = path.split(".");
  for (let at = 0; at < parts.length; at++) {
    const [, id, index] = /^([^[\]]+)(?:\[(\d{1,6})\])?$/.exec(parts[at]!) ?? [];
    const step = list.steps.find((other) => other.id === id);
    if (step === undefined || (index !== undefined && step.kind !== "foreach")) return undefined;
    const here = `${list.prefix}${id}`;
    const last = at === parts.length - 1;
    if (step.kind === "foreach") {
      if (index === undefined && !last) return undefined;
      const child = index === undefined ? undefined : `${here}[${Number(index)}]`;
      way.push({ list, step, child });
      list = { prefix: `${child}.`, steps: step.steps };
    } else if (last) {
      way.push({ list, step, child: undefined });
    } else {
      const branch = branchesOf(step, here).find(({ path }) => path === `${here}.${parts[at + 1]}`);
      if (branch === undefined) return undefined;
      way.push({ list, step, child: branch.path });
      list = branch.list;
      at++;
    }
  }
  return way;
}

/** The step that a path names, or whose branch or item it names. */
export function stepAt(definition: WorkflowDefinition, path: string): Step | undefined {
  return wayTo(definition, path)?.at(-1)?.step;
}

/** Finds what lies at and below a path, of all these paths, without a look at the others. */
export function subtreesOf(paths: Iterable<string>): (root: string) => Generator<string> {
  const children = new Map<string, string[]>();
  const known = new Set<string>([""]);
  for (let path of paths) {
    // Also what is around it, whether it is named or not.
    while (!known.has(path)) {
      known.add(path);
      const parent = parentOf(path);
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [path]);
      else siblings.push(path);
      path = parent;
    }
  }
  return function* within(root): Generator<string> {
    yield root;
    for (const child of children.get(root) ?? []) yield* within(child);
  };
}

/** The step of a branch or an item, the branch or item of a step in it; empty at the top. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("."), path.lastIndexOf("[")));
}

/** Whether `path` is `root` or lies within it. */
export function isWithin(path: string, root: string): boolean {
  return path.startsWith(root) &&
    (path.length === root.length || path[root.length] === "." || path[root.length] === "[");
}
