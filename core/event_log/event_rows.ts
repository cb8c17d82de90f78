/** Statements on the log of events. */
import { type Kysely, sql } from "kysely";
import { prepared } from "../stores/prepared.ts";
import type { Database, Tx } from "../stores/sql.ts";
import { type EventFilter, HOST_USER, type LoggedEvent } from "./event_log.ts";

type Db = Kysely<Database>;

interface NewRow {
  name: string;
  subject: string | null;
  payload_json: string;
  user_id: string;
  time: string;
}

const insert = prepared<NewRow, unknown>((db, slot) =>
  db.insertInto("event").values({
    name: slot("name"),
    subject: slot("subject"),
    payload_json: slot("payload_json"),
    user_id: slot("user_id"),
    time: slot("time"),
  })
);

export async function insertEvent(tx: Tx, row: NewRow): Promise<void> {
  await insert(tx, row);
}

/** What is looked for among the runs that wait, in the order of their ids. */
interface Waiters {
  readonly name: string;
  /** Who did it: a run sees what its own user did, and the host; that of an admin sees all. */
  readonly user: string;
  /** Runs with a larger id. */
  readonly after: string;
  readonly limit: number;
}

/** In the words of the partial index, which ends in the runs' ids. */
const waitingRuns = prepared<{ [K in keyof Waiters]: Waiters[K] }, { run_id: string }>((db, slot) =>
  waiting(db).select("run_step.run_id").distinct()
    .where("wait_event", "=", slot("name")).where("run_step.run_id", ">", slot("after"))
    .where((where) =>
      where.or([
        where(where.val(slot("user")), "=", sql.lit(HOST_USER)),
        where("workflow_run.user_id", "=", slot("user")),
        where("user.role", "=", sql.lit("admin")),
      ])
    ).orderBy("run_step.run_id").limit(slot("limit"))
);

function waiting(db: Db) {
  return db.selectFrom("run_step").innerJoin("workflow_run", "workflow_run.id", "run_step.run_id")
    .leftJoin("user", "user.id", "workflow_run.user_id")
    .where("run_step.state", "=", sql.lit("waiting")).where("wait_event", "is not", null);
}

const raiseVersion = prepared<{ id: string }, unknown>((db, slot) =>
  db.updateTable("workflow_run").set((update) => ({ version: update("version", "+", 1) }))
    .where("id", "=", slot("id"))
);

/** The runs that wait for such an event; what they have read of their steps counts no more. */
export async function touchWaitingRuns(tx: Tx, waiters: Waiters): Promise<readonly string[]> {
  const { rows } = await waitingRuns(tx, waiters);
  return await touch(tx, rows);
}

/** Those that wait for an event which is in the log already. */
export async function touchMissedRuns(
  tx: Tx,
  after: string,
  limit: number,
): Promise<readonly string[]> {
  const rows = await waiting(tx).select("run_step.run_id").distinct()
    .where("run_step.run_id", ">", after)
    .where((where) =>
      where.exists(
        where.selectFrom("event").select("event.seq").whereRef("event.name", "=", "wait_event")
          .where("event.seq", ">", (of) => of.fn.coalesce("wait_seq", of.lit(0)))
          .where((seen) =>
            seen.or([
              seen("event.user_id", "=", HOST_USER),
              seen("event.user_id", "=", seen.ref("workflow_run.user_id")),
              seen("user.role", "=", "admin"),
            ])
          ),
      )
    ).orderBy("run_step.run_id").limit(limit).execute();
  return await touch(tx, rows);
}

async function touch(tx: Tx, rows: readonly { readonly run_id: string }[]) {
  for (const { run_id } of rows) await raiseVersion(tx, { id: run_id });
  return rows.map(({ run_id }) => run_id);
}

/** Oldest first. */
export async function readEvents(
  db: Db,
  { afterSeq, upToSeq, limit, filter }: {
    readonly afterSeq: number;
    readonly upToSeq: number;
    readonly limit: number;
    readonly filter: EventFilter | undefined;
  },
): Promise<LoggedEvent[]> {
  let query = db.selectFrom("event").selectAll()
    .where("seq", ">", afterSeq).where("seq", "<=", upToSeq);
  const { names, subject, user } = filter ?? {};
  if (names !== undefined && !names.includes("*")) {
    const exact = names.filter((name) => !name.endsWith(".*"));
    const stems = names.filter((name) => name.endsWith(".*")).map((name) => name.slice(0, -1));
    query = query.where((where) =>
      where.or([
        // An empty list of alternatives would be true.
        where("name", "in", exact),
        ...stems.map((stem) =>
          where.and([where("name", ">=", stem), where("name", "<", after(stem))])
        ),
      ])
    );
  }
  if (subject !== undefined) query = query.where("subject", "=", subject);
  if (user !== undefined) query = query.where("user_id", "in", [user, HOST_USER]);
  const rows = await query.orderBy("seq").limit(limit).execute();
  return rows.map((row) => {
    const event: LoggedEvent = {
      seq: Number(row.seq),
      name: row.name,
      subject: row.subject ?? undefined,
      payload: JSON.parse(row.payload_json),
      user: row.user_id,
      time: row.time,
    };
    sizes.set(event, row.payload_json.length);
    return event;
  });
}

const sizes = new WeakMap<LoggedEvent, number>();
/** What an event takes beside its payload, about. */
const EVENT_BYTES = 500;

/** Bytes in memory, about, of an event that was read here. */
export function sizeOfEvent(event: LoggedEvent): number {
  return EVENT_BYTES + 2 * (sizes.get(event) ?? 0);
}

/** What sorts behind everything that begins with a stem such as `artifact.`. */
const after = (stem: string) => `${stem.slice(0, -1)}/`;

/** 0 where nothing has ever happened. */
export async function newestSeq(db: Db): Promise<number> {
  const row = await db.selectFrom("event").select((select) => select.fn.max("seq").as("seq"))
    .executeTakeFirst();
  return Number(row?.seq ?? 0);
}

/** The last of the oldest events, at most `limit`, that is older than a time; undefined when there is none. */
export async function lastOlderThan(
  db: Db,
  time: string,
  limit: number,
): Promise<number | undefined> {
  // The newest stays, whatever its age: it keeps the count.
  const newest = await newestSeq(db);
  const rows = await db.selectFrom("event").select(["seq", "time"]).where("seq", "<", newest)
    .orderBy("seq").limit(limit).execute();
  const end = rows.findIndex((row) => row.time >= time);
  return rows[(end < 0 ? rows.length : end) - 1]?.seq;
}

export async function deleteUpTo(tx: Tx, seq: number): Promise<number> {
  const { numDeletedRows } = await tx.deleteFrom("event").where("seq", "<=", seq)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** What events say of something that is gone is taken out of them; that it happened stays. */
export async function redactEvents(tx: Tx, subjects: readonly string[]): Promise<void> {
  const AT_ONCE = 500;
  for (let start = 0; start < subjects.length; start += AT_ONCE) {
    await tx.updateTable("event").set({ payload_json: JSON.stringify({ redacted: true }) })
      .where("subject", "is not", null)
      .where("subject", "in", subjects.slice(start, start + AT_ONCE)).execute();
  }
}
