/** Checks what the steps of a definition say of each other: ids, needs, circles, and references in expressions. */
import { didYouMean } from "./check_names.ts";
import { findCircles } from "./check_circles.ts";
import type { NameUse } from "./check_expression.ts";
import type { ListDraft, StepDraft } from "./parse_draft.ts";
import type { Reader, Use } from "./parse_reader.ts";

interface Around {
  readonly inputs: readonly string[];
  /** Expressions that see all top steps. */
  readonly outputUses: readonly Use[];
}

/** What an expression sees: the lists around it, the innermost first, and of each the steps that have ended. */
interface Sight {
  readonly lists: readonly { readonly list: ListDraft; readonly ended: ReadonlySet<StepDraft> }[];
  readonly names: readonly string[];
  /** The step that the expression is part of. */
  readonly own: StepDraft | undefined;
}

export function checkReferences(reader: Reader, top: ListDraft, around: Around): void {
  /** Steps by id, of all lists. */
  const everywhere = new Map<string, StepDraft>();
  collect(top);

  function collect(list: ListDraft): void {
    for (const step of list.steps) {
      if (step.given && !everywhere.has(step.id)) everywhere.set(step.id, step);
      step.lists.forEach(collect);
    }
  }

  function checkList(list: ListDraft, outer: Sight["lists"], inForeach: boolean): void {
    checkIds(list);
    const needs = needsOf(list);
    for (const circle of findCircles(list.steps, (step) => needs.get(step)!)) {
      const said = circle.map((step, index) => {
        const next = circle[(index + 1) % circle.length]!;
        return `${step.id} needs ${next.id}`;
      });
      const closing = circle.find((step) => step.needs !== undefined) ?? circle[0]!;
      const message = circle.length === 1
        ? `the step "${closing.id}" needs itself`
        : `these steps wait for each other: ${said.join(", ")}`;
      reader.say([...closing.path, "needs"], message);
    }
    const names = ["inputs", "steps", "run", ...(inForeach ? ["item", "index"] : [])];
    for (const step of list.steps) {
      const lists = [{ list, ended: endedBefore(step, needs) }, ...outer];
      checkUses(step.uses, { lists, names, own: step });
      checkUses(step.eventUses, { lists, names: [...names, "event"], own: step });
      for (const inner of step.lists) {
        checkList(inner, lists, inForeach || step.kind === "foreach");
        const all = [{ list: inner, ended: new Set(inner.steps) }, ...lists];
        const seen = ["inputs", "steps", "run", "item", "index"];
        checkUses(step.collectUses, { lists: all, names: seen, own: step });
      }
    }
  }

  function checkIds(list: ListDraft): void {
    const known = new Map<string, StepDraft>();
    for (const step of list.steps) {
      const before = known.get(step.id);
      if (before !== undefined) {
        const line = reader.lineOf([...before.path, "id"]);
        reader.say([...step.path, "id"], `"${step.id}" is the step of line ${line} already`);
      }
      known.set(step.id, step);
    }
  }

  /** What each step needs: what it names, else the step above. */
  function needsOf(list: ListDraft): ReadonlyMap<StepDraft, readonly StepDraft[]> {
    const byId = new Map(list.steps.filter(({ given }) => given).map((step) => [step.id, step]));
    return new Map(list.steps.map((step, index) => {
      if (step.needs === undefined) return [step, list.steps.slice(Math.max(0, index - 1), index)];
      const found = step.needs.map((name) => {
        const needed = byId.get(name);
        if (needed === undefined) sayUnknownNeed(step, name, byId);
        return needed;
      });
      return [step, found.filter((needed) => needed !== undefined)];
    }));
  }

  function sayUnknownNeed(
    step: StepDraft,
    name: string,
    byId: ReadonlyMap<string, StepDraft>,
  ): void {
    const elsewhere = everywhere.has(name);
    const why = elsewhere
      ? `"${name}" is in another list; a step needs those of its own`
      : `there is no step "${name}"${
        didYouMean(name, [...byId.keys()].filter((id) => id !== step.id))
      }`;
    reader.say([...step.path, "needs"], why);
  }

  function checkUses(uses: readonly Use[], sight: Sight): void {
    for (const { uses: { roots, inputs, steps }, offsetOf } of uses) {
      const say = ({ at }: NameUse, message: string) => reader.sayAt(offsetOf(at), message);
      for (const root of roots) {
        if (!sight.names.includes(root.name)) say(root, unknownRoot(root.name, sight.names));
      }
      for (const input of inputs) {
        if (around.inputs.includes(input.name)) continue;
        say(
          input,
          `the input "${input.name}" is not declared${didYouMean(input.name, around.inputs)}`,
        );
      }
      for (const step of steps) {
        const wrong = stepProblem(step.name, sight);
        if (wrong !== undefined) say(step, wrong);
      }
    }
  }

  function stepProblem(name: string, { lists, own }: Sight): string | undefined {
    for (const { list, ended } of lists) {
      const step = list.steps.find(({ id, given }) => given && id === name);
      if (step === undefined) continue;
      if (ended.has(step)) return undefined;
      if (step === own) return `the step "${name}" cannot use its own result`;
      return `the step "${name}" need not have ended by then: name it under "needs", or put it before`;
    }
    const inside = everywhere.get(name)?.list.within;
    if (inside !== undefined) {
      const outer = inside.given ? `steps.${inside.id}` : `the result of "${inside.id}"`;
      return `the step "${name}" is within another one and cannot be seen here; ${
        inside.given ? `use ${outer}` : `give that one an id and use ${outer}`
      }`;
    }
    const known = lists.flatMap(({ list }) =>
      list.steps.filter((step) => step.given && step !== own).map(({ id }) => id)
    );
    return `there is no step "${name}"${didYouMean(name, known)}`;
  }

  checkList(top, [], false);
  checkUses(around.outputUses, {
    lists: [{ list: top, ended: new Set(top.steps) }],
    names: ["inputs", "steps", "run"],
    own: undefined,
  });
}

function unknownRoot(name: string, known: readonly string[]): string {
  if (name === "item" || name === "index") {
    return `"${name}" is there only within the steps of a foreach`;
  }
  if (name === "event") return '"event" is there only in the "where" of a wait for an event';
  const hint = didYouMean(name, known) || `; an expression sees ${known.join(", ")}`;
  return `there is no "${name}" here${hint}`;
}

/** All steps of the list that a step needs, and those that these need. */
function endedBefore(
  step: StepDraft,
  needs: ReadonlyMap<StepDraft, readonly StepDraft[]>,
): ReadonlySet<StepDraft> {
  const ended = new Set<StepDraft>();
  const open = [...needs.get(step)!];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === step || ended.has(next)) continue;
    ended.add(next);
    open.push(...needs.get(next)!);
  }
  return ended;
}
