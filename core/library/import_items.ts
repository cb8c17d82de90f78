/**
 * Imports of many: a source that is a list. Each item becomes an import job of its own below the list's, which
 * waits for all of them and is completed with their counts. It fails only when not one item came in: what failed
 * alone is seen in its own job and can be retried alone.
 */
import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { z } from "zod";
import type { ImportItem } from "../../sdk/types.ts";
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";
import { type ChildCounts, type Job, type JobRun, JobWaits, type NewJob } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { siteOf } from "../network/site.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { Database, SqlStore, Tx } from "../stores/sql.ts";
import { importFlightKey, type ImportInput } from "./import_input.ts";

/** A list of lists of things; not one level more. */
export const MAX_DEPTH = 2;
/** Items of everything below one request: what a list may hold is shared out among its items. */
export const MAX_ITEMS_IN_ALL = 100_000;
/** Jobs added in one transaction: other work goes on in between. */
const ADD_AT_ONCE = 250;

export interface ItemParts {
  readonly sql: SqlStore;
  readonly plugins: Pick<Plugins, "matchUrl">;
  readonly jobs: () => Pick<Jobs, "addIn" | "children" | "retryIn">;
}

/**
 * The counts, once all items have ended. Throws `JobWaits` until then, `too_large` for a list that is too long or
 * too deep, and `step_failed` when all items failed.
 */
export async function importItems(
  parts: ItemParts,
  { job }: JobRun,
  items: readonly ImportItem[],
): Promise<ChildCounts> {
  const input = job.input as ImportInput;
  const { depth, room } = input.within ?? { depth: 0, room: MAX_ITEMS_IN_ALL };
  if (items.length > 0) checkPlace(input.url, items.length, depth, room);

  const place = await readPlace(parts.sql.db, job.id);
  if (place.retriedUpTo !== undefined) {
    const { retriedUpTo } = place;
    throw new JobWaits(
      "imports the items again that did not come in",
      async (tx) => {
        const next = await retrySome(parts, tx, job, retriedUpTo);
        await writePlace(tx, job.id, { ...place, retriedUpTo: next });
      },
      { for: "children", unless: () => Promise.resolve(true) },
    );
  }
  const list = digestOf(items.map(({ url }) => url).join("\n"));
  // Of another list nothing is known: what is there of it is found by its keys.
  const added = place.list === list ? place.added : 0;
  if (added < items.length) {
    const within = { depth: depth + 1, room: Math.floor((room - items.length) / items.length) };
    const upTo = Math.min(items.length, added + ADD_AT_ONCE);
    throw new JobWaits(
      `imports ${items.length} items`,
      async (tx) => {
        await addItems(parts, tx, job, items.slice(added, upTo), within);
        await writePlace(tx, job.id, { list, added: upTo });
      },
      { for: "children", unless: async () => upTo < items.length },
    );
  }

  const counts = await parts.jobs().children(job.id);
  if (counts.completed + counts.failed + counts.cancelled < counts.total) {
    throw new JobWaits(`imports ${counts.total} items`, async () => {}, { for: "children" });
  }
  if (counts.failed > 0 && counts.completed === 0) throw await allFailed(parts.sql, job, counts);
  return counts;
}

function checkPlace(url: string, count: number, depth: number, room: number): void {
  if (depth >= MAX_DEPTH) {
    throw new CarrelError(
      "too_large",
      `Cannot import the items of "${url}": lists of lists of lists are not followed`,
    );
  }
  if (count <= room) return;
  throw new CarrelError(
    "too_large",
    `Cannot import the items of "${url}": it lists ${count}, and only ${room} more fit into one import`,
    { details: { items: count, room } },
  );
}

async function addItems(
  { plugins, jobs }: ItemParts,
  tx: Tx,
  job: Job,
  items: readonly ImportItem[],
  within: ImportInput["within"],
): Promise<void> {
  const { collection, metadata: all = {} } = job.input as ImportInput;
  // What the request says of them all; a title can be of one thing only.
  const { title: _, ...common } = all;
  const breathe = createBreather();
  for (const { url, title, metadata } of items) {
    const plugin = plugins.matchUrl(url)[0]?.id;
    const fields = { ...metadata, ...(title ? { title } : {}), ...common };
    const input: ImportInput = {
      url,
      collection,
      ...(Object.keys(fields).length === 0 ? {} : { metadata: fields }),
      pinned: false,
      within,
    };
    const child: NewJob = {
      kind: "import",
      plugin,
      site: siteOf(new URL(url).hostname),
      input,
      user: job.user,
      parent: job.id,
      idempotencyKey: keyOf(job, url),
      flightKey: importFlightKey(plugin ?? "", input, job.user),
    };
    await jobs().addIn(tx, child);
    await breathe();
  }
}

/** A digest in place of the URL, which may be long, and would be left when the content is deleted. */
function keyOf(job: Job, url: string): string {
  return `${job.id}:${digestOf(url)}`;
}

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");

async function allFailed(sql: SqlStore, job: Job, counts: ChildCounts): Promise<CarrelError> {
  const { url } = job.input as ImportInput;
  const row = await sql.db.selectFrom("job").select(["id", "message"]).where("parent", "=", job.id)
    .where("status", "=", "failed").orderBy("row").limit(1).executeTakeFirst();
  return new CarrelError(
    "step_failed",
    `Cannot import any of the ${counts.total} items of "${url}". The first one: ${row?.message}`,
    { details: { items: { ...counts }, first: row?.id } },
  );
}

/** In the transaction that retries a list by hand: those of its items that did not come in are retried too, soon. */
export async function retryItems(tx: Tx, job: Job): Promise<void> {
  const place = await readPlace(tx, job.id);
  if (place.added > 0) await writePlace(tx, job.id, { ...place, retriedUpTo: 0 });
}

/** The next of those that did not come in. Answers with the row of the last; undefined when it is all. */
async function retrySome(
  parts: ItemParts,
  tx: Tx,
  job: Job,
  after: number,
): Promise<number | undefined> {
  const rows = await tx.selectFrom("job").select(["id", "row"]).where("parent", "=", job.id)
    .where("row", ">", after).where("status", "in", ["failed", "cancelled"])
    .orderBy("row").limit(ADD_AT_ONCE).execute();
  const breathe = createBreather();
  for (const { id } of rows) {
    try {
      await parts.jobs().retryIn(tx, id);
    } catch (error) {
      // It was tried too often, or a newer job does the same.
      if (!(error instanceof CarrelError) || error.code !== "conflict") throw error;
    }
    await breathe();
  }
  return rows.length < ADD_AT_ONCE ? undefined : rows.at(-1)!.row;
}

/** How far the import of a list has come; in its job's row. */
interface Place {
  /** A digest of the URLs: a list that has become another one is begun anew. */
  readonly list?: string | undefined;
  /** So many of its items have been added. */
  readonly added: number;
  /** While items are retried: up to this row of theirs they have been. */
  readonly retriedUpTo?: number | undefined;
}

const places: z.ZodType<Place> = z.object({
  list: z.string().optional(),
  added: z.int().min(0),
  retriedUpTo: z.int().optional(),
});

async function readPlace(db: Kysely<Database>, job: string): Promise<Place> {
  const row = await db.selectFrom("job").select("place_json").where("id", "=", job)
    .executeTakeFirst();
  const json = row?.place_json ?? null;
  const parsed = places.safeParse(json === null ? undefined : JSON.parse(json));
  return parsed.success ? parsed.data : { added: 0 };
}

async function writePlace(tx: Tx, job: string, place: Place): Promise<void> {
  await tx.updateTable("job").set({ place_json: JSON.stringify(place) }).where("id", "=", job)
    .execute();
}
