/** What a run would do, without doing any of it. */
import { capabilityHint } from "./capability_hints.ts";
import type { Step, Template, Wait, WorkflowDefinition } from "./definition.ts";
import type { Resolved } from "./expressions.ts";
import { servesBy, type WorkflowsParts } from "./parts.ts";
import { eachText, isPlain, splitText, templateOf } from "./templates.ts";
import { branchesOf, needsOf, type StepList } from "./tree.ts";
import type { Plan, PlannedStep } from "./workflows.ts";

/** Words in an expression whose values nobody knows before the run. */
const UNKNOWN = /(^|[^."'\w$])(steps|item|index|event|run)\b|\$(now|millis|random|eval)\b/;

interface Known {
  /** The value, or undefined where it cannot be known before. */
  (template: Template | undefined): unknown;
}

export async function planOf(
  parts: WorkflowsParts,
  definition: WorkflowDefinition,
  inputs: Readonly<Record<string, unknown>>,
  user: string,
): Promise<Plan> {
  const known = await resolveKnown(parts, definition, inputs, user);
  const serves = servesBy(parts);
  const { plugins } = parts;
  const steps: PlannedStep[] = [];
  const missing = new Map<string, { plugin: string; key: string; text: string }>();

  function visit(list: StepList): void {
    const skipped = new Map<string, string>();
    for (const step of list.steps) {
      const path = list.prefix + step.id;
      const needs = needsOf(list.steps, step);
      const behind = needs.find((id) => {
        const needed = list.steps.find((other) => other.id === id);
        return skipped.has(id) && !needed?.optional && !step.optional;
      });
      const found = behind === undefined ? whoDoes(step) : {
        skipped: `it needs "${behind}", which would be skipped`,
      };
      // A condition that is not true skips the step alone.
      if (found.skipped !== undefined && !found.byCondition) skipped.set(step.id, found.skipped);
      const permissions = found.plugin === undefined ? [] : permissionsOf(found.plugin);
      steps.push({
        path,
        kind: step.kind,
        title: step.title ?? undefined,
        needs: needs.map((id) => list.prefix + id),
        plugin: found.plugin,
        capability: step.kind === "call" ? step.capability : undefined,
        skipped: found.skipped,
        waits: step.kind === "wait" ? waitWords(step.wait) : undefined,
        permissions,
      });
      if (step.kind === "foreach") visit({ prefix: `${path}[].`, steps: step.steps });
      for (const { list } of branchesOf(step, path)) visit(list);
    }
  }

  function whoDoes(step: Step): {
    readonly plugin?: string | undefined;
    readonly skipped?: string | undefined;
    readonly byCondition?: boolean;
  } {
    if (step.when !== undefined && step.when !== null) {
      const when = known(templateOf(step.when));
      if (when !== undefined && when !== true) {
        return { skipped: "its condition is not true", byCondition: true };
      }
    }
    if (step.kind === "call") {
      const provider = known(step.provider ?? null);
      const served = serves(step.capability, typeof provider === "string" ? provider : undefined);
      if ("plugin" in served) return served;
      const offered = parts.capabilities.list?.().map(({ name }) => name);
      const hint = capabilityHint(step.capability, offered);
      return { skipped: `no provider for ${step.capability}${hint}` };
    }
    if (step.kind !== "import" && step.kind !== "export") return {};
    const given = step.with as Readonly<Record<string, Template>> | null;
    const named = known(given?.["plugin"] ?? null);
    if (typeof named === "string") return { plugin: named };
    const key = step.kind === "import" ? "url" : "format";
    const value = known(given?.[key]);
    if (typeof value !== "string") return {};
    const able = step.kind === "import" ? plugins.matchUrl(value) : plugins.matchFormat(value);
    const plugin = able[0]?.id;
    return plugin === undefined ? { skipped: `no plugin for "${value}"` } : { plugin };
  }

  function permissionsOf(plugin: string): string[] {
    if (plugins.find(plugin) === undefined) return [];
    const held: string[] = [];
    for (const { key, text, granted } of plugins.permissions(plugin)) {
      if (granted) held.push(text);
      else missing.set(`${plugin} ${key}`, { plugin, key, text });
    }
    return held;
  }

  visit({ prefix: "", steps: definition.steps });
  return { workflow: definition.name, steps, missing: [...missing.values()] };
}

/** Resolves what the inputs alone decide. */
async function resolveKnown(
  { expressions }: WorkflowsParts,
  definition: WorkflowDefinition,
  inputs: Readonly<Record<string, unknown>>,
  user: string,
): Promise<Known> {
  const scope = { inputs, steps: {}, run: { workflow: definition.name, user } };
  const wanted = templatesOf(definition.steps)
    .filter((template) => !isPlain(template) && isKnowable(template));
  const values = new Map<string, unknown>();
  const resolve = async (asked: readonly Resolved[]) => {
    const found = await expressions.resolve(asked);
    asked.forEach(({ template }, at) => values.set(JSON.stringify(template), found[at]));
  };
  const asked = wanted.map((template) => ({ template, scope }));
  try {
    if (asked.length > 0) await resolve(asked);
  } catch {
    // One that cannot be evaluated is not known; the run will say why.
    for (const one of asked) await resolve([one]).catch(() => {});
  }
  return (template) => {
    if (template === undefined) return undefined;
    return isPlain(template) ? template : values.get(JSON.stringify(template));
  };
}

function isKnowable(template: Template): boolean {
  let knowable = true;
  eachText(template, (text) => {
    const { parts } = splitText(text);
    if (parts.some((part) => typeof part !== "string" && UNKNOWN.test(part.source))) {
      knowable = false;
    }
  });
  return knowable;
}

function templatesOf(steps: readonly Step[]): Template[] {
  return steps.flatMap((step): Template[] => {
    const own: Template[] = step.when === undefined || step.when === null
      ? []
      : [templateOf(step.when)];
    if (step.kind === "call" && step.provider !== undefined) own.push(step.provider);
    if (step.kind === "import" || step.kind === "export") {
      const given = step.with as Readonly<Record<string, Template>> | null;
      for (const key of ["plugin", "url", "format"]) {
        if (given?.[key] !== undefined) own.push(given[key]);
      }
    }
    if (step.kind === "foreach") own.push(...templatesOf(step.steps));
    for (const { list } of branchesOf(step, "")) own.push(...templatesOf(list.steps));
    return own;
  });
}

/** What a wait waits for, and who may answer, in words. */
function waitWords(wait: Wait): string {
  switch (wait.for) {
    case "choice":
      return "a choice, by an editor";
    case "input":
      return "a value, by an editor";
    case "approval":
      return `an approval, by ${wait.role === "reader" ? "a" : "an"} ${wait.role}`;
    case "event":
      return `the event ${wait.name}${wait.where === undefined ? "" : " that fits its condition"}`;
    case "timer": {
      const [word, time] = wait.after === undefined ? ["until", wait.until] : ["after", wait.after];
      if (!isPlain(time ?? null)) return "a time that the run finds out";
      return word === "until"
        ? `the time ${time}`
        : `${time}${typeof time === "number" ? " s" : ""}`;
    }
  }
}
