/** No-op jobs through the whole machinery, every commit fsynced, beside bare SQLite with as many commits. */
import { DatabaseSync } from "node:sqlite";
import { EventBus } from "../core/events.ts";
import { createJobs } from "../core/jobs/dispatcher.ts";
import { noopHandler } from "../core/jobs/noop.ts";
import { openQueueKv } from "../core/jobs/queue_kv.ts";
import { createBlobKeeper } from "../core/stores/blobs.ts";
import { openObjectsFs } from "../core/stores/objects_fs.ts";
import { openSqlite } from "../core/stores/sqlite.ts";
import { type Figure, median } from "./figure.ts";

const JOBS = 10_000;
const BACKLOG = 100_000;
const noop = { kind: "noop", input: null, user: "bench" } as const;

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    const floor = { name: "bare SQLite, 3 commits a job", value: bareSqlite(`${dir}/bare.db`) };
    const rate = async (slots: number): Promise<Figure> => ({
      name: `jobs: no-op, enqueued to completed, ${slots} slots`,
      value: await throughput(`${dir}/rate-${slots}`, slots),
      unit: "jobs/s",
      target: 5_000,
      compare: ">=",
      floor,
    });
    const none = await latency(`${dir}/none`, 0);
    const few = await latency(`${dir}/few`, 100);
    const many = await latency(`${dir}/many`, BACKLOG);
    return [
      await rate(8),
      await rate(64),
      {
        name: "jobs: enqueue to start, idle, p50",
        value: none,
        unit: "ms",
        target: 3,
        compare: "<=",
      },
      {
        name: `jobs: enqueue to start, ${BACKLOG} queued behind, p50`,
        value: many,
        unit: "ms",
        target: 2 * few,
        compare: "<=",
        floor: { name: "100 queued", value: few },
      },
    ];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function openEngine(dir: string, slots: number) {
  await Deno.mkdir(dir);
  const migrationsDir = new URL("../migrations/sql", import.meta.url).pathname;
  const sql = await openSqlite(`${dir}/carrel.db`, { migrationsDir });
  const blobs = createBlobKeeper(sql, await openObjectsFs(`${dir}/objects`));
  const queue = await openQueueKv(`${dir}/queue.kv`);
  const events = new EventBus();
  const engine = createJobs({
    sql,
    blobs,
    queue,
    events,
    handlers: { noop: noopHandler },
    concurrency: slots,
    // As a host has them: each claim looks for classes that would be full.
    classLimits: (name) => name === "plugin:other" ? 2 : undefined,
  });
  return {
    engine,
    events,
    sql,
    async [Symbol.asyncDispose]() {
      await engine[Symbol.asyncDispose]();
      await queue[Symbol.asyncDispose]();
      await sql[Symbol.asyncDispose]();
    },
  };
}

/** Jobs a second, added one by one and all at once; the best of three runs, the first one to warm up. */
async function throughput(dir: string, slots: number): Promise<number> {
  await using opened = await openEngine(dir, slots);
  const { engine, events } = opened;
  let left = 0;
  let finish = () => {};
  events.on("job.event", ({ status }) => status === "completed" && --left === 0 && finish());
  await engine.start();
  const rates: number[] = [];
  for (let run = 0; run < 3; run++) {
    left = JOBS;
    const done = new Promise<void>((resolve) => finish = resolve);
    const began = performance.now();
    await Promise.all(Array.from({ length: JOBS }, () => engine.jobs.add(noop)));
    await done;
    rates.push(JOBS / (performance.now() - began) * 1000);
  }
  return Math.max(...rates);
}

/** Milliseconds from `add` to the handler's first step, with a backlog of jobs of lower priority. */
async function latency(dir: string, backlog: number): Promise<number> {
  await Deno.mkdir(dir);
  const migrationsDir = new URL("../migrations/sql", import.meta.url).pathname;
  await using sql = await openSqlite(`${dir}/carrel.db`, { migrationsDir });
  const blobs = createBlobKeeper(sql, await openObjectsFs(`${dir}/objects`));
  await using queue = await openQueueKv(`${dir}/queue.kv`);
  let started = 0;
  const endless = new AbortController();
  await using engine = createJobs({
    sql,
    blobs,
    queue,
    handlers: {
      noop: { run: async () => void (started = performance.now()) },
      // Holds the backlog up: its class is full from the first one on.
      import: {
        run: ({ signal }) =>
          new Promise((_, reject) => {
            const stop = () => reject(new Error("bench is over"));
            signal.addEventListener("abort", stop);
            endless.signal.addEventListener("abort", stop);
          }),
      },
    },
    classLimits: (name) => name === "kind:import" ? 1 : undefined,
    report: () => {},
  });
  for (let added = 0; added < backlog; added += 5_000) {
    await Promise.all(
      Array.from({ length: 5_000 }, () => engine.jobs.add({ ...noop, kind: "import" })),
    );
  }
  await engine.start();
  const times: number[] = [];
  for (let run = 0; run < 300; run++) {
    const began = performance.now();
    const job = await engine.jobs.add({ ...noop, priority: 1 });
    await engine.jobs.finished(job.id);
    times.push(started - began);
  }
  endless.abort();
  return median(times);
}

/** Jobs a second of the least that three durable steps of a job can be: insert, claim, complete. */
function bareSqlite(path: string): number {
  using db = new DatabaseSync(path);
  db.exec(`pragma journal_mode = wal; pragma synchronous = full;
    create table job (id integer primary key, status text, rank integer);
    create index ready on job (rank) where status = 'queued';`);
  const insert = db.prepare("insert into job (status, rank) values ('queued', ?)");
  const claim = db.prepare(`update job set status = 'running' where id in
    (select id from job where status = 'queued' order by rank limit 1) returning id`);
  const complete = db.prepare("update job set status = 'completed' where id = ?");
  const count = 2_000;
  const began = performance.now();
  for (let index = 0; index < count; index++) {
    insert.run(index);
    complete.run(claim.get()!.id as number);
  }
  return count / (performance.now() - began) * 1000;
}
