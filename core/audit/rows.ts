/** The statements on the audit's table. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import { CarrelError } from "../errors.ts";
import { prepared } from "../stores/prepared.ts";
import type { AuditTable, Database } from "../stores/sql.ts";
import type { AuditFilter, AuditPage, AuditRow } from "./audit.ts";
import { type Link, MAX_SEQ } from "./chain.ts";

/** Adds a row. */
export const insertRow = prepared<AuditTable, never>((db, slot) =>
  db.insertInto("audit").values({
    host: slot("host"),
    seq: slot("seq"),
    time: slot("time"),
    event: slot("event"),
    plugin: slot("plugin"),
    digest: slot("digest"),
    actor: slot("actor"),
    job: slot("job"),
    details_json: slot("details_json"),
    previous: slot("previous"),
    hash: slot("hash"),
  }).$castTo<never>()
);

/**
 * A row as it lies in the table, whatever somebody put there. The number comes as text, since reading a huge
 * one as a number throws. `octets` is the size of all the texts together: a reader stops at a NUL, and what
 * hides behind it would not be seen.
 */
export interface StoredRow extends Omit<AuditTable, "seq"> {
  readonly seq_text: string | null;
  readonly octets: number;
}

const TEXTS = [
  "host",
  "time",
  "event",
  "plugin",
  "digest",
  "actor",
  "job",
  "details_json",
  "previous",
  "hash",
] as const;

const SEQ_TEXT: RawBuilder<string | null> = sql`cast(seq as text)`;
const OCTETS: RawBuilder<number> = sql`(${
  sql.join(TEXTS.map((name) => sql`coalesce(octet_length(${sql.ref(name)}), 0)`), sql` + `)
})`;

/** One page of a host's rows, by number, behind `after`; from the first of all when that is undefined. */
export async function readRows(
  db: Kysely<Database>,
  host: string,
  after: string | undefined,
  limit: number,
): Promise<StoredRow[]> {
  let query = db.selectFrom("audit").select([
    ...TEXTS,
    SEQ_TEXT.as("seq_text"),
    OCTETS.as("octets"),
  ]).where("host", "=", host);
  if (after !== undefined) query = query.where(sql<boolean>`seq > ${after}`);
  return await query.orderBy("seq").limit(limit).execute();
}

/** The row as it was sealed, or undefined when its columns hold what no host has written. */
export function soundRow({ seq_text, octets, ...row }: StoredRow): AuditTable | undefined {
  const seq = numberOf(seq_text);
  const encoder = new TextEncoder();
  let read = 0;
  for (const name of TEXTS) {
    const text = row[name] as unknown;
    if (text === null) continue;
    if (typeof text !== "string") return undefined;
    read += encoder.encode(text).length;
  }
  return seq === undefined || read !== octets ? undefined : { ...row, seq };
}

/** A row's number; undefined when it is none of ours. */
export function numberOf(text: unknown): number | undefined {
  return typeof text === "string" && /^[1-9]\d{0,15}$/.test(text) && Number(text) < MAX_SEQ
    ? Number(text)
    : undefined;
}

/** The last row that has a number of ours, and that number. */
export async function readLast(
  db: Kysely<Database>,
  host: string,
): Promise<{ readonly seq: number; readonly row: StoredRow } | undefined> {
  const row = await db.selectFrom("audit").select([
    ...TEXTS,
    SEQ_TEXT.as("seq_text"),
    OCTETS.as("octets"),
  ]).where("host", "=", host).where("seq", "<", MAX_SEQ)
    .orderBy("seq", "desc").limit(1).executeTakeFirst();
  if (row === undefined) return undefined;
  return { seq: Math.max(0, Math.floor(Number(row.seq_text))) || 0, row };
}

/** The seal of a row, by its number. */
export async function readLink(
  db: Kysely<Database>,
  host: string,
  seq: number,
): Promise<Link | undefined> {
  const row = await db.selectFrom("audit").select("hash")
    .where("host", "=", host).where("seq", "=", seq).executeTakeFirst();
  return row === undefined ? undefined : { seq, hash: row.hash };
}

/**
 * Names beside the known ones under which there are rows, one for each gap between these. By range, since
 * counting millions of rows would hold the host up, and what reads like a known name need not be one.
 */
export async function foreignHosts(
  db: Kysely<Database>,
  known: readonly string[],
): Promise<readonly string[]> {
  const names = [...known].sort();
  const found: string[] = [];
  for (let index = 0; index <= names.length; index++) {
    const [above, below] = [names[index - 1], names[index]];
    let query = db.selectFrom("audit").select("host").orderBy("host").limit(1);
    if (above !== undefined) query = query.where("host", ">", above);
    if (below !== undefined) query = query.where("host", "<", below);
    const row = await query.executeTakeFirst();
    if (row !== undefined) found.push(String(row.host));
  }
  return found;
}

/** Rows of all hosts, newest first. Throws `invalid_parameters` for a cursor that is none. */
export async function listRows(db: Kysely<Database>, filter: AuditFilter): Promise<AuditPage> {
  const limit = Math.min(Math.max(Math.trunc(filter.limit ?? 100), 1), 500);
  let query = db.selectFrom("audit").select([...TEXTS, SEQ_TEXT.as("seq_text")]);
  if (filter.plugin !== undefined) query = query.where("plugin", "=", filter.plugin);
  if (filter.event !== undefined) query = query.where("event", "=", filter.event);
  if (filter.since !== undefined) query = query.where("time", ">=", timeOf(filter.since));
  if (filter.cursor !== undefined) {
    const { time, host, seq } = parseCursor(filter.cursor);
    query = query.where(sql<boolean>`(time, host, seq) < (${time}, ${host}, ${seq})`);
  }
  const rows = await query.orderBy("time", "desc").orderBy("host", "desc").orderBy("seq", "desc")
    .limit(limit + 1).execute();
  const items = rows.slice(0, limit).map(toRow);
  const last = items.at(-1);
  return {
    items,
    cursor: rows.length > limit && last !== undefined ? cursorOf(last) : undefined,
  };
}

type ListedRow = Omit<StoredRow, "octets">;

function toRow(row: ListedRow): AuditRow {
  return {
    host: row.host,
    seq: Number(row.seq_text),
    time: row.time,
    event: row.event,
    plugin: row.plugin ?? undefined,
    digest: row.digest ?? undefined,
    actor: row.actor ?? undefined,
    job: row.job ?? undefined,
    details: parseDetails(row.details_json),
  };
}

/** Empty for a row that somebody has damaged: `verify` says so, a list goes on. */
function parseDetails(json: unknown): Readonly<Record<string, unknown>> {
  try {
    const details: unknown = JSON.parse(String(json));
    return typeof details === "object" && details !== null && !Array.isArray(details)
      ? details as Record<string, unknown>
      : {};
  } catch {
    return {};
  }
}

/** As rows have it, so that the store can compare texts. */
function timeOf(since: string): string {
  const time = Date.parse(since);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new CarrelError(
    "invalid_parameters",
    `Cannot list the audit since "${since}": it is not a time (ISO 8601).`,
    { details: { field: "since" } },
  );
}

function cursorOf({ time, host, seq }: AuditRow): string {
  return `${seq}~${time}~${host}`;
}

function parseCursor(cursor: string): { time: string; host: string; seq: number } {
  const match = /^(\d{1,16})~([^~]{1,64})~(.{1,256})$/.exec(cursor);
  if (match !== null) return { seq: Number(match[1]), time: match[2]!, host: match[3]! };
  throw new CarrelError(
    "invalid_parameters",
    `Cannot list the audit from "${cursor}": it is not a cursor of this list.`,
    { details: { field: "cursor" } },
  );
}
