/** Finds out what a look at a run asked for. */
import type { Actor } from "../auth/actor.ts";
import { CarrelError } from "../errors.ts";
import type { JobError } from "../jobs/job.ts";
import type { Expressions, Resolved } from "./expressions.ts";
import type { FoundEvent } from "./open_step.ts";
import type { RunParts } from "./parts.ts";
import { type Ask, problem, type StepJob, type Told } from "./situation.ts";
import { templateOf } from "./templates.ts";

type Asked<W extends Ask["what"]> = Extract<Ask, { what: W }>;

/** Events of one read: as many as one call of a runner takes. */
const EVENTS_AT_ONCE = 200;
/** What is wrong with an expression, not with the host that evaluates it. */
const FAULTS_OF_EXPRESSIONS = ["invalid_expression", "timed_out", "out_of_memory", "too_large"];

/** Throws what is nobody's fault but the host's: then the whole look is taken again later. */
export async function findOut(
  parts: RunParts,
  asks: Iterable<Ask>,
  actor: Actor,
  signal: AbortSignal,
): Promise<Map<string, Told>> {
  const told = new Map<string, Told>();
  const values: Asked<"value">[] = [];
  for (const ask of asks) {
    if (ask.what === "value") values.push(ask);
    else told.set(ask.key, await findOne(parts, ask, actor, signal));
  }
  const asked = values.map(({ template, scope }) => ({ template, scope }));
  let next = 0;
  for await (const value of resolveEach(parts.expressions, asked, signal)) {
    told.set(values[next++]!.key, value);
  }
  return told;
}

async function findOne(
  parts: RunParts,
  ask: Exclude<Ask, { what: "value" }>,
  actor: Actor,
  signal: AbortSignal,
): Promise<Told> {
  switch (ask.what) {
    case "newest":
      return { value: await parts.eventLog.newest() };
    case "event":
      return await findEvent(parts, ask, actor, signal);
    case "job":
      return await toldOf(() => jobOf(parts, ask, actor));
  }
}

/**
 * The values in order; of one that cannot be found its error. Where one of many is at fault it is found out by
 * halves, so that the others are not all asked for one by one.
 */
async function* resolveEach(
  expressions: Expressions,
  asked: readonly Resolved[],
  signal: AbortSignal,
): AsyncGenerator<Told> {
  if (asked.length === 0) return;
  let values: readonly unknown[] | undefined;
  try {
    values = await expressions.resolve(asked, signal);
  } catch (error) {
    const fault = faultOf(error);
    if (fault === undefined) throw error;
    if (asked.length === 1) yield { error: fault };
  }
  if (values !== undefined) {
    for (const value of values) yield { value };
  } else if (asked.length > 1) {
    const half = Math.ceil(asked.length / 2);
    yield* resolveEach(expressions, asked.slice(0, half), signal);
    yield* resolveEach(expressions, asked.slice(half), signal);
  }
}

function faultOf(error: unknown): JobError | undefined {
  if (!(error instanceof CarrelError) || !FAULTS_OF_EXPRESSIONS.includes(error.code)) {
    return undefined;
  }
  return { ...toError(error), retryable: false };
}

async function findEvent(
  parts: RunParts,
  { name, after, where, scope }: Asked<"event">,
  actor: Actor,
  signal: AbortSignal,
): Promise<Told> {
  // What others did is theirs to know.
  const filter = { names: [name], ...(actor.role === "admin" ? {} : { user: actor.user }) };
  // Up to here all are looked at then, also those that are not shown.
  const newest = await parts.eventLog.newest();
  let seq = after;
  const found = (event: unknown): Told => ({ value: { event, seq } satisfies FoundEvent });
  for (;;) {
    const events = await parts.eventLog.read(seq, filter, EVENTS_AT_ONCE);
    if (events.length === 0) {
      seq = Math.max(seq, newest);
      return found(undefined);
    }
    if (where === undefined) return found(events[0]);
    const template = templateOf(where);
    const asked = events.map((event) => ({ template, scope: { ...scope, event } }));
    let next = 0;
    for await (const told of resolveEach(parts.expressions, asked, signal)) {
      if ("error" in told) return told;
      const event = events[next++]!;
      seq = event.seq;
      if (told.value === true) return found(event);
    }
  }
}

async function jobOf(
  { library }: RunParts,
  { kind, input }: Asked<"job">,
  actor: Actor,
): Promise<StepJob> {
  const given = fieldsOf(kind, input);
  const job = kind === "import"
    ? await library.importJob(
      text(kind, given, "url", true)!,
      {
        plugin: text(kind, given, "plugin"),
        collection: text(kind, given, "collection"),
        metadata: map(kind, given, "metadata"),
      },
      actor,
    )
    : await library.exportJob({
      sourceIds: texts(kind, given, "source_ids"),
      format: text(kind, given, "format", true)!,
      plugin: text(kind, given, "plugin"),
      parameters: map(kind, given, "parameters"),
    }, actor);
  // Not shared with equal work of others: its parent is this run, which cancels it with itself.
  return { kind: job.kind, input: job.input, plugin: job.plugin, site: job.site };
}

const FIELDS = {
  import: ["url", "plugin", "collection", "metadata"],
  export: ["source_ids", "format", "plugin", "parameters"],
} as const;
type LibraryKind = keyof typeof FIELDS;
type Fields = Readonly<Record<string, unknown>>;

function refuse(kind: LibraryKind, why: string): CarrelError {
  return new CarrelError("invalid_parameters", `Cannot ${kind}: ${why}`);
}

function fieldsOf(kind: LibraryKind, input: unknown): Fields {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw refuse(kind, `"with" must be a map of ${FIELDS[kind].join(", ")}`);
  }
  const known: readonly string[] = FIELDS[kind];
  const stranger = Object.keys(input).find((key) => !known.includes(key));
  if (stranger === undefined) return input as Fields;
  throw refuse(kind, `"${stranger}" is none of ${known.join(", ")}`);
}

function text(kind: LibraryKind, given: Fields, name: string, required = false) {
  const value = given[name] ?? undefined;
  if (typeof value === "string" || (value === undefined && !required)) return value;
  throw refuse(kind, `"${name}" must be a text`);
}

function texts(kind: LibraryKind, given: Fields, name: string): string[] {
  // JSONata gives a list of one as the one.
  const value = typeof given[name] === "string" ? [given[name]] : given[name];
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "string")) {
    return value;
  }
  throw refuse(kind, `"${name}" must be a list of ids, with one at least`);
}

function map(kind: LibraryKind, given: Fields, name: string): Fields | undefined {
  const value = given[name] ?? undefined;
  if (value === undefined || (typeof value === "object" && !Array.isArray(value))) {
    return value as Fields | undefined;
  }
  throw refuse(kind, `"${name}" must be a map`);
}

async function toldOf(find: () => Promise<unknown>): Promise<Told> {
  try {
    return { value: await find() };
  } catch (error) {
    if (!(error instanceof CarrelError) || error.retryable) throw error;
    return { error: toError(error) };
  }
}

function toError({ code, message, details }: CarrelError): JobError {
  return problem(code, message, details);
}
