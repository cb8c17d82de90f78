/** Reads lists of steps. */
import { didYouMean } from "./check_names.ts";
import { type Step, STEP_KINDS, WORKFLOW_LIMITS } from "./definition.ts";
import { hostFunctionProblem } from "./host_names.ts";
import type { ListDraft, StepDraft } from "./parse_draft.ts";
import { isMap, type Path, type Reader, type Use, type Values } from "./parse_reader.ts";
import { isListOrExpression, readWait } from "./parse_wait.ts";
import { CAPABILITY_PATTERN, KIND_FIELDS, MAX_ATTEMPTS, STEP_FIELDS } from "./schema_fields.ts";
import { soleExpression } from "./templates.ts";

export interface ReadList {
  readonly steps: readonly Step[];
  readonly draft: ListDraft;
}

/** @param counter counts the steps of the whole definition */
export function readSteps(
  reader: Reader,
  value: unknown,
  path: Path,
  counter: { steps: number },
  within?: StepDraft,
  depth = 1,
): ReadList {
  const draft: ListDraft = { path, within, steps: [] };
  const steps: Step[] = [];
  within?.lists.push(draft);
  if (value === undefined) return { steps, draft };
  if (!Array.isArray(value) || value.length === 0) {
    reader.say(path, "expected a list of at least one step");
  } else if (depth > WORKFLOW_LIMITS.depth) {
    reader.say(path, `expected steps within steps at most ${WORKFLOW_LIMITS.depth} levels deep`);
  } else {
    for (const [index, item] of value.entries()) {
      counter.steps++;
      if (counter.steps === WORKFLOW_LIMITS.steps + 1) {
        reader.say([...path, index], `expected at most ${WORKFLOW_LIMITS.steps} steps in all`);
      }
      if (counter.steps > WORKFLOW_LIMITS.steps) break;
      const step = readStep(reader, item, [...path, index], counter, draft, depth);
      if (step !== undefined) steps.push(step);
    }
  }
  return { steps, draft };
}

function kindOf(reader: Reader, value: Values, path: Path): Step["kind"] | undefined {
  let kinds = STEP_KINDS.filter((kind) => Object.hasOwn(value, kind));
  // `parallel` of a foreach is how many items at once.
  if (kinds.includes("foreach") && !isMap(value["parallel"])) {
    kinds = kinds.filter((kind) => kind !== "parallel");
  }
  if (kinds.length === 1) return kinds[0];
  if (kinds.length > 1) {
    reader.say([...path, kinds[1]!], `one step cannot be ${kinds.join(" and ")}; make two of it`);
    return undefined;
  }
  const odd = Object.keys(value).find((key) => !Object.hasOwn(STEP_FIELDS, key));
  const what = odd === undefined ? "the step does nothing" : `unknown kind of step "${odd}"`;
  reader.say(
    odd === undefined ? path : [...path, odd],
    `${what}: expected one of ${STEP_KINDS.join(", ")}${didYouMean(odd ?? "", STEP_KINDS)}`,
  );
  return undefined;
}

function readStep(
  reader: Reader,
  value: unknown,
  path: Path,
  counter: { steps: number },
  list: ListDraft,
  depth: number,
): Step | undefined {
  if (!isMap(value)) {
    reader.say(path, `expected a step: a map with one of ${STEP_KINDS.join(", ")}`);
    return undefined;
  }
  const kind = kindOf(reader, value, path);
  if (kind === undefined) return undefined;
  const at = (field: string): Path => [...path, field];
  if (Object.hasOwn(value, "with") && kind !== "call") {
    reader.say(at("with"), `only a call has it; write the fields under "${kind}" itself`);
  }
  const fields = { ...STEP_FIELDS, ...KIND_FIELDS[kind] };
  reader.map(
    without(value, kind === "call" ? "" : "with"),
    path,
    fields,
    `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind} step`,
  );

  const uses: Use[] = [];
  const given = value["id"] === undefined ? undefined : reader.id(value["id"], at("id"));
  const draft: StepDraft = {
    kind,
    // No given id has a "-" in it: the two never meet.
    id: given ?? `${kind}-${Number(path.at(-1)) + 1}`,
    given: given !== undefined,
    path,
    list,
    needs: readNeeds(reader, value["needs"], at("needs")),
    uses,
    eventUses: [],
    collectUses: [],
    lists: [],
  };
  list.steps.push(draft);
  const { when } = value;
  const base = {
    id: draft.id,
    line: reader.lineOf(path),
    title: reader.text(value["title"], at("title")),
    needs: draft.needs,
    when: when === undefined ? undefined : reader.expression(when, at("when"), uses),
    optional: reader.flag(value["optional"], at("optional"), false),
    attempts: Object.hasOwn(fields, "attempts")
      ? reader.count(value["attempts"], at("attempts"), MAX_ATTEMPTS)
      : undefined,
    timeout: reader.duration(value["timeout"], at("timeout")),
  };
  const inner = (field: string, part: unknown) =>
    readSteps(reader, part, at(field), counter, draft, depth + 1).steps;

  switch (kind) {
    case "call": {
      const { provider } = value;
      if (provider !== undefined) reader.text(provider, at("provider"));
      return {
        ...base,
        kind,
        capability: readCapability(reader, value["call"], at("call")),
        with: reader.template(value["with"] ?? {}, at("with"), uses),
        provider: provider === undefined
          ? undefined
          : reader.template(provider, at("provider"), uses),
      };
    }
    case "import":
    case "export":
    case "search": {
      const asked = value[kind];
      if (!isMap(asked) && !(typeof asked === "string" && soleExpression(asked))) {
        reader.say(at(kind), "expected a map, or an expression that makes one");
      }
      return { ...base, kind, with: reader.template(asked, at(kind), uses) };
    }
    case "wait": {
      const wait = readWait(reader, value["wait"], at("wait"), uses, draft.eventUses);
      const onTimeout = readOnTimeout(reader, value, path, uses);
      return wait && { ...base, kind, wait, onTimeout };
    }
    case "foreach": {
      const items = value["foreach"];
      if (!isListOrExpression(items) && !Array.isArray(items)) {
        reader.say(at("foreach"), "expected a list, or an expression that makes one");
      } else if (Array.isArray(items) && items.length > WORKFLOW_LIMITS.items) {
        reader.say(at("foreach"), `expected at most ${WORKFLOW_LIMITS.items} items`);
      }
      const { collect } = value;
      return {
        ...base,
        kind,
        items: reader.template(items, at("foreach"), uses),
        parallel: reader.count(value["parallel"], at("parallel"), WORKFLOW_LIMITS.parallel) ?? 4,
        steps: inner("steps", value["steps"]),
        collect: collect === undefined
          ? undefined
          : reader.template(collect, at("collect"), draft.collectUses),
      };
    }
    case "parallel": {
      const asked = value["parallel"];
      const count = isMap(asked) ? Object.keys(asked).length : 1;
      const most = WORKFLOW_LIMITS.parallel;
      const fits = count >= 1 && count <= most;
      if (!fits) reader.say(at("parallel"), `expected 1 to ${most} lists of steps by name`);
      const branches = fits ? reader.named(asked, at("parallel"), most) : {};
      const names = Object.keys(branches);
      return {
        ...base,
        kind,
        branches: Object.fromEntries(names.map((name) => {
          const branch = [...at("parallel"), name];
          const { steps } = readSteps(reader, branches[name], branch, counter, draft, depth + 1);
          return [name, steps];
        })),
      };
    }
    case "if":
      return {
        ...base,
        kind,
        condition: reader.expression(value["if"], at("if"), uses) ?? "false",
        then: inner("then", value["then"]),
        else: inner("else", value["else"]),
      };
  }
}

function readCapability(reader: Reader, value: unknown, path: Path): string {
  const expected = "a capability such as text.generate";
  const name = reader.matching(value, path, CAPABILITY_PATTERN, expected) ?? "";
  const wrong = hostFunctionProblem(name);
  if (wrong !== undefined) reader.say(path, wrong);
  return name;
}

function readNeeds(reader: Reader, value: unknown, path: Path): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > WORKFLOW_LIMITS.steps) {
    reader.say(path, `expected at most ${WORKFLOW_LIMITS.steps} ids`);
    return undefined;
  }
  if (list.every((name) => typeof name === "string")) return [...new Set(list)];
  reader.say(path, "expected ids of steps of the same list");
  return undefined;
}

function readOnTimeout(
  reader: Reader,
  value: Values,
  path: Path,
  uses: Use[],
): { value: ReturnType<Reader["template"]> } | undefined {
  const asked = value["on_timeout"];
  if (asked === undefined) return undefined;
  const here = [...path, "on_timeout"];
  if (value["timeout"] === undefined) reader.say(here, "it does nothing without a timeout");
  const known = { value: { description: "", schema: {}, required: true as const } };
  const read = reader.map(asked, here, known, "what a timeout does");
  return read && { value: reader.template(read["value"] ?? null, [...here, "value"], uses) };
}

function without(value: Values, field: string): Values {
  const { [field]: _, ...rest } = value;
  return rest;
}
