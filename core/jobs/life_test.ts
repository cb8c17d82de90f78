/** Lives of jobs at random: whatever comes in whatever order, the rules of `states.ts` and of families hold. */
import assert from "node:assert/strict";
import { sql } from "kysely";
import { CarrelError } from "../errors.ts";
import type { Tx } from "../stores/sql.ts";
import type { JobEngine } from "./dispatcher.ts";
import { countChildren } from "./family.ts";
import {
  END_STATUSES,
  isEnded,
  type Job,
  JobFails,
  type JobHandler,
  type JobRun,
  type JobStatus,
  JobWaits,
  WAITS_FOR,
} from "./job.ts";
import { canFollow, FIRST_STATUSES } from "./states.ts";
import { noop, openWorkshop, within, type Workshop } from "./testing.ts";

type Dice = (sides: number) => number;

/** Numbers below a bound, the same for the same seed (xorshift). */
function createDice(seed: number): Dice {
  let state = seed * 2654435761 >>> 0 || 1;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));
const nothing = async () => {};

/** Each end that was committed, once for each time. */
async function noteCommit(tx: Tx, _: unknown, { id }: Job): Promise<void> {
  await sql`insert into life_commit (job_id) values (${id})`.execute(tx);
}

async function work({ signal, progress }: JobRun, dice: Dice): Promise<void> {
  for (let step = dice(4); step > 0; step--) {
    progress(dice(100));
    await turn();
    if (dice(2)) signal.throwIfAborted();
  }
  const luck = dice(10);
  if (luck === 0) throw new CarrelError("damaged", "bad luck");
  if (luck <= 2) throw new CarrelError("fetch_failed", "try again", { retryable: true });
}

/** A parent: it adds children and waits for this and that, a few times, and in the end for all of them. */
function parentHandler(shop: Workshop, dice: Dice, engine: () => JobEngine): JobHandler {
  return {
    async run(run) {
      const { job } = run;
      await work(run, dice);
      if (dice(15) === 0) throw new JobFails(new CarrelError("step_failed", "no"), nothing);
      if (job.attempt <= 3 && dice(4) > 0) {
        throw new JobWaits("waits", (tx) => addChildren(tx, job), {
          for: WAITS_FOR[dice(WAITS_FOR.length)],
          wakeAtMs: dice(3) === 0 ? shop.clock.now() + dice(10_000) : undefined,
          unless: dice(4) === 0 ? async () => dice(2) === 0 : undefined,
        });
      }
      const { total, completed, failed, cancelled } = await countChildren(shop.sql.db, job.id);
      if (completed + failed + cancelled < total) {
        throw new JobWaits("waits for all", nothing, { for: "children" });
      }
    },
    commit: noteCommit,
  };

  async function addChildren(tx: Tx, job: Job): Promise<void> {
    const depth = job.input as number;
    for (let count = dice(4); count > 0; count--) {
      const isParent = depth < 2 && dice(3) === 0;
      await engine().jobs.addIn(
        tx,
        noop({
          kind: isParent ? "run" : "noop",
          input: depth + 1,
          parent: job.id,
          priority: 1 + dice(10),
          idempotencyKey: `${job.id}:${dice(6)}`,
          flightKey: dice(6) === 0 ? `flight ${dice(3)}` : undefined,
          runAtMs: dice(5) === 0 ? shop.clock.now() + dice(5_000) : undefined,
        }),
      );
    }
  }
}

/** Every change of a status, whoever makes it. */
async function watchRows({ sql: { db } }: Workshop): Promise<void> {
  await sql`create table life_commit (job_id text not null)`.execute(db);
  await sql`create table life_change (job_id text, before text, after text)`.execute(db);
  await sql`create trigger life after update of status on job when old.status <> new.status begin
    insert into life_change values (old.id, old.status, new.status);
  end`.execute(db);
}

/** What must be so whenever nobody is in the middle of a transaction. */
async function checkRows({ sql: { db } }: Workshop, retried: ReadonlySet<string>): Promise<void> {
  const changes = await sql<{ before: JobStatus; after: JobStatus }>`
    select distinct before, after from life_change`.execute(db);
  for (const { before, after } of changes.rows) {
    assert.ok(canFollow(before, after), `${before} → ${after}`);
  }
  const none = async (what: string, query: ReturnType<typeof sql<{ id: string }>>) => {
    const { rows } = await query.execute(db);
    assert.deepEqual(rows.map(({ id }) => id).filter((id) => !retried.has(id)), [], what);
  };
  const ended = sql.join(END_STATUSES.map((status) => sql.lit(status)));
  const open =
    sql`select 1 from job child where child.parent = job.id and child.status not in (${ended})`;
  await none(
    "a lease without an attempt, or an attempt without a lease",
    sql`select id from job
      where (status in ('running', 'cancelling')) <> (lease_owner is not null and lease_until_ms is not null)`,
  );
  await none(
    "events with a gap",
    sql`select id from job where seq <> (select count(*) from job_event where job_id = job.id)
      or seq <> (select max(seq) from job_event where job_id = job.id)`,
  );
  await none(
    "an event that does not tell what is",
    sql`select id from job join job_event on job_id = id and job_event.seq = job.seq
      where job.status <> job_event.status`,
  );
  await none(
    "a job that waits for children of which none is open",
    sql`select id from job where status = 'waiting' and waits_for in ('child', 'children')
      and not exists (${open})`,
  );
  await none(
    "a parent that is completed before a child of its own",
    sql`select id from job child where status not in (${ended}) and idempotency_key like parent || ':%'
      and (select status from job where id = child.parent) = 'completed'`,
  );
  await none(
    "a job whose end was not committed once, with it",
    sql`select id from job where (status = 'completed')
      <> (select count(*) from life_commit where job_id = job.id)`,
  );
  await none(
    "a job with more tries than it may have",
    sql`select id from job where attempt - waits > 10 or waits > attempt or waits < 0`,
  );
}

async function live(seed: number): Promise<void> {
  await using shop = await openWorkshop();
  await watchRows(shop);
  const dice = createDice(seed);
  const told: string[] = [];
  shop.events.on("job.event", ({ job_id, seq }) => told.push(`${job_id} ${seq}`));
  const retried = new Set<string>();
  const zombies: JobEngine[] = [];

  async function startEngine(): Promise<JobEngine> {
    const made: JobEngine = shop.engine({
      concurrency: 1 + dice(6),
      classLimits: (name) => name.startsWith("site:") ? 1 + name.charCodeAt(5) % 2 : undefined,
      handlers: {
        noop: { run: (run) => work(run, dice), commit: noteCommit },
        run: parentHandler(shop, dice, () => made),
      },
    });
    await made.start();
    return made;
  }

  let engine = await startEngine();
  const ids = async () => {
    const rows = await shop.sql.db.selectFrom("job").select("id").orderBy("row").execute();
    return rows.map(({ id }) => id);
  };
  const any = async () => {
    const all = await ids();
    return all.length === 0 ? undefined : all[dice(all.length)];
  };
  const refused = (error: unknown) => {
    if (!(error instanceof CarrelError) || !["conflict", "cancelled"].includes(error.code)) {
      throw error;
    }
  };

  async function step(): Promise<void> {
    const what = dice(16);
    const one = await any();
    if (one === undefined || what < 5) {
      await engine.jobs.add(noop({
        kind: dice(2) ? "run" : "noop",
        input: 0,
        priority: 1 + dice(10),
        site: ["x", "y", undefined][dice(3)],
        flightKey: dice(4) === 0 ? `flight ${dice(3)}` : undefined,
        runAtMs: dice(4) === 0 ? shop.clock.now() + dice(20_000) : undefined,
      }));
    } else if (what === 5) await engine.jobs.cancel(one);
    else if (what === 6) {
      retried.add(one);
      await engine.jobs.retry(one, dice(2) ? {} : { from: "extracting" }).catch(refused);
    } else if (what === 7) await engine.waiting.resume(one);
    else if (what === 8) {
      await shop.sql.transaction((tx) => engine.waiting.resumeIn(tx, one));
      engine.jobs.wake();
    } else if (what === 9) {
      const error = { code: "denied", message: "no", retryable: false } as const;
      await engine.waiting.fail(one, error);
    } else if (what === 10 && dice(4) === 0) {
      // A restart: what runs is given back.
      await within(engine[Symbol.asyncDispose]());
      engine = await startEngine();
    } else if (what === 11 && dice(3) === 0) {
      // The lock of the folder is lost, or a laptop slept: the old host goes on as if nothing had happened.
      zombies.push(engine);
      engine = await startEngine();
    } else if (what <= 13) shop.clock.advance(dice(3_000));
    else await turn();
  }

  /** What would wait for ever is resumed; everything else must come to its end by itself. */
  async function drain(): Promise<void> {
    for (;;) {
      const rows = await shop.sql.db.selectFrom("job").select(["id", "waits_for", "status"])
        .where("status", "not in", END_STATUSES).execute();
      if (rows.length === 0) return;
      for (const { id, waits_for: waitsFor, status } of rows) {
        const byHand = waitsFor !== "child" && waitsFor !== "children";
        if (status === "waiting" && byHand) await engine.waiting.resume(id);
      }
      shop.clock.advance(1_000);
      await turn();
    }
  }

  for (let count = 0; count < 150; count++) {
    await step();
    await checkRows(shop, retried);
  }
  for (const zombie of zombies) await within(zombie[Symbol.asyncDispose]());
  await within(drain(), `stuck: ${JSON.stringify(await engine.jobs.counts())}`);
  await engine.drain();
  await checkRows(shop, retried);

  for (const id of await ids()) {
    const story = (await Array.fromAsync(engine.jobs.watch(id, {}))).map(({ status }) => status);
    assert.ok((FIRST_STATUSES as readonly JobStatus[]).includes(story[0]!));
    assert.ok(isEnded(story.at(-1)!));
    for (const [index, status] of story.entries()) {
      const before = story[index - 1];
      if (before === undefined || (before === status && status === "running")) continue;
      assert.ok(canFollow(before, status), `${before} → ${status}`);
    }
  }
  assert.equal(new Set(told).size, told.length, "an event was told twice");
  const written = await shop.sql.db.selectFrom("job_event").select(["job_id", "seq"]).execute();
  assert.deepEqual(
    told.toSorted(),
    written.map(({ job_id, seq }) => `${job_id} ${seq}`).toSorted(),
    "not every event was told",
  );
  assert.deepEqual(shop.reports, []);
}

const asked = Number(Deno.env.get("CARREL_TEST_SEED"));

for (const seed of asked > 0 ? [asked] : [1, 2, 3, 4, 5, 6, 7, 8]) {
  Deno.test(`jobs keep to the rules whatever happens to them (CARREL_TEST_SEED=${seed})`, () =>
    live(seed));
}
