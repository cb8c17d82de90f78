/**
 * Who made a text, as the host saw it: a step of a run says from which other steps its text is, and what these did
 * is read from their jobs. Nothing of it is taken from the words of a definition.
 */
import type { Kysely } from "kysely";
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { Maker, PluginVersion, UsedSource } from "../provenance/facts.ts";
import type { Database } from "../stores/sql.ts";
import { isWithin } from "../workflows/tree.ts";

/** Where a call of the host stands in its run. */
export interface StepPlace {
  readonly run: string;
  readonly path: string;
}

/** A call of a plugin, and what came of it. */
export interface MadeCall {
  readonly path: string;
  readonly job: Maker;
  readonly plugin: PluginVersion;
  readonly models: readonly { readonly name: string; readonly usage: object }[];
  readonly value: unknown;
  readonly given: readonly UsedSource[];
  readonly used: readonly UsedSource[] | undefined;
  /** Texts that it was given beside its sources: what a translation was made from. */
  readonly text: string | undefined;
}

export interface MadeBy {
  readonly calls: readonly MadeCall[];
  /** Users who gave it, by answers to steps that asked. */
  readonly givers: readonly string[];
}

/** What rows keep of calls and answers, as far as it is read here. */
const answers = z.object({ by: z.string() });
const results = z.object({
  value: z.unknown(),
  provider: z.object({ id: z.string(), version: z.string(), digest: z.string() }),
  usage: z.array(z.looseObject({ model: z.string() })),
});
const nothing = { sources: [], text: undefined };
const inputs = z.object({
  input: z.object({
    sources: z.array(z.object({ id: z.unknown() })).catch([]).default([]),
    text: z.string().optional().catch(undefined),
  }).catch(nothing),
}).catch({ input: nothing });
const texts = z.object({
  used: z.array(z.unknown()).optional().catch(undefined),
  model: z.string().optional().catch(undefined),
}).catch({});

interface Found {
  readonly path: string;
  readonly kind: string;
  readonly state: string;
  readonly job_id: string | null;
  readonly result_json: string | null;
}

/**
 * The calls and answers at the steps that are named as an expression would name them, from the place outwards, or
 * within them. Throws `invalid_parameters` for a step that is not there or made nothing.
 */
export async function madeBy(
  db: Kysely<Database>,
  place: StepPlace,
  from: readonly string[],
): Promise<MadeBy> {
  const calls: MadeCall[] = [];
  const givers: string[] = [];
  for (const name of from) {
    const before = calls.length + givers.length;
    for (const row of await rowsOf(db, place, name)) {
      if (row.state !== "completed") continue;
      const giver = row.kind === "wait" ? giverOf(row.result_json) : undefined;
      if (giver !== undefined) givers.push(giver);
      const call = row.job_id === null ? undefined : await callOf(db, row.path, row.job_id);
      if (call !== undefined) calls.push(call);
    }
    if (calls.length + givers.length > before) continue;
    throw refused(place, name, "it made nothing");
  }
  return { calls, givers };
}

/** The step of that name that is nearest, and what is within it. */
async function rowsOf(
  db: Kysely<Database>,
  { run, path }: StepPlace,
  name: string,
): Promise<Found[]> {
  const parts = path.split(".");
  for (let depth = parts.length - 1; depth >= 0; depth--) {
    const root = [...parts.slice(0, depth), name].join(".");
    if (isWithin(path, root)) continue;
    const first = await db.selectFrom("run_step").select("path")
      .where("run_id", "=", run).where("path", "=", root).executeTakeFirst();
    if (first === undefined) continue;
    const rows = await db.selectFrom("run_step")
      .select(["path", "kind", "state", "job_id", "result_json"])
      .where("run_id", "=", run).where("path", "like", `${root}%`).orderBy("path").execute();
    return rows.filter((row) => isWithin(row.path, root));
  }
  throw refused({ run, path }, name, "there is no such step before it");
}

function refused({ path }: StepPlace, name: string, why: string): CarrelError {
  return new CarrelError(
    "invalid_parameters",
    `Cannot do "${path}" with what "${name}" made: ${why}`,
    { details: { field: "from" } },
  );
}

function giverOf(json: string | null): string | undefined {
  const answer = answers.safeParse(json === null ? undefined : JSON.parse(json));
  return answer.success ? answer.data.by : undefined;
}

/** What a call of a plugin came to; undefined for another job, and for a call of the host. */
async function callOf(
  db: Kysely<Database>,
  path: string,
  id: string,
): Promise<MadeCall | undefined> {
  const row = await db.selectFrom("job")
    .select(["id", "kind", "attempt", "user_id", "input_json", "result_json"])
    .where("id", "=", id).where("kind", "=", "call").where("status", "=", "completed")
    .executeTakeFirst();
  if (row === undefined || row.result_json === null) return undefined;
  // Perhaps of an older version of the host: what cannot be read of a call says nothing of who made what.
  const result = results.safeParse(JSON.parse(row.result_json));
  if (!result.success || result.data.provider.id === "host") return undefined;
  const { value, provider, usage } = result.data;
  const { input } = inputs.parse(JSON.parse(row.input_json));
  const { used, model } = texts.parse(value);
  const given = await sourcesOf(db, input.sources.map((source) => source.id));
  const ids = used && new Set(used);
  const names = [...new Set([...usage.map((one) => one.model), ...(model ? [model] : [])])];
  return {
    path,
    job: { id: row.id, kind: row.kind as Maker["kind"], attempt: row.attempt, user: row.user_id },
    plugin: { id: provider.id, version: provider.version, digest: provider.digest },
    models: names.map((name) => ({
      name,
      usage: { ...usage.find((one) => one.model === name), plugin: undefined, model: undefined },
    })),
    value,
    given: given.map(({ source }) => source),
    used: ids && given.filter(({ named }) => ids.has(named)).map(({ source }) => source),
    text: input.text,
  };
}

/** What ids stand for: passages, contents, artifacts. Ids of nothing that the library knows are left out. */
async function sourcesOf(
  db: Kysely<Database>,
  ids: readonly unknown[],
): Promise<{ readonly named: string; readonly source: UsedSource }[]> {
  const named = [...new Set(ids.filter((id) => typeof id === "string"))];
  const wanted = (kind: string) => ["", ...named.filter((id) => id.startsWith(`${kind}_`))];
  const chunks = await db.selectFrom("chunk").select(["id", "content_id", "revision_id"])
    .where("id", "in", wanted("chunk")).execute();
  const contents = await db.selectFrom("content").select(["id", "revision"])
    .where("id", "in", wanted("content")).execute();
  const artifacts = await db.selectFrom("artifact").select("id")
    .where("id", "in", wanted("artifact")).execute();
  const known = new Map<string, UsedSource>([
    ...chunks.map(({ id, content_id, revision_id }): [string, UsedSource] => [
      id,
      { id: content_id, revision: revision_id, chunks: [id] },
    ]),
    ...contents.map(({ id, revision }): [string, UsedSource] => [id, { id, revision, chunks: [] }]),
    ...artifacts.map(({ id }): [string, UsedSource] => [
      id,
      { id, revision: undefined, chunks: [] },
    ]),
  ]);
  return named.flatMap((id) => known.has(id) ? [{ named: id, source: known.get(id)! }] : []);
}

/** Whether a text is what stands somewhere in a value. */
export function holdsText(value: unknown, text: string): boolean {
  if (typeof value === "string") return value === text;
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((part) => holdsText(part, text));
}
