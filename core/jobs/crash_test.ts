import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { noop, openWorkshop, within } from "./testing.ts";

/** A host that is killed: it adds jobs, runs what is there, and says how many are done. */
const HOST = `
import { openSqlite } from "CORE/stores/sqlite.ts";
import { openObjectsFs } from "CORE/stores/objects_fs.ts";
import { createBlobKeeper } from "CORE/stores/blobs.ts";
import { openQueueKv } from "CORE/jobs/queue_kv.ts";
import { createJobs } from "CORE/jobs/dispatcher.ts";
import { lockDataFolder } from "CORE/lock.ts";
import { EventBus } from "CORE/events.ts";
const [dir, migrationsDir, from, count] = Deno.args;
await lockDataFolder(dir);
const sql = await openSqlite(dir + "/carrel.db", { migrationsDir });
const blobs = createBlobKeeper(sql, await openObjectsFs(dir + "/objects"));
const queue = await openQueueKv(dir + "/queue.kv");
const events = new EventBus();
const handlers = { noop: {
  async run(run) {
    const bytes = await run.stage(
      { name: "downloading", executor: "host", digest: "d", from: 0, parse: (stored) => stored },
      async () => new TextEncoder().encode("bytes of " + run.job.input),
    );
    return await blobs.put(run.job.id, bytes);
  },
  async commit(tx, blob, job) {
    await tx.insertInto("collection")
      .values({ id: job.id + "." + job.attempt, name: job.input, user_id: blob.digest, shared: 0, created: "now" })
      .execute();
  },
} };
events.on("job.event", ({ status }) => status === "completed" && console.log("completed"));
const engine = createJobs({ sql, blobs, queue, events, handlers });
await engine.start();
for (let index = 0; index < Number(count); index++) {
  engine.jobs.add({ kind: "noop", user: "u", input: "job " + from + "." + index, idempotencyKey: from + "." + index });
}
console.log("added");
setInterval(() => {}, 1000);
`;

interface Host {
  /** Resolves once so many jobs have completed in this host. */
  completed(count: number): Promise<void>;
  /** kill -9 */
  kill(): Promise<void>;
}

function startHost(program: string, dir: string, run: number, jobs: number): Host {
  const root = new URL("../..", import.meta.url).pathname;
  const flags = ["run", "-A", "--no-lock", `--config=${root}deno.json`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, program, dir, `${root}migrations/sql`, `${run}`, `${jobs}`],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async completed(count) {
      while (text.split("completed").length <= count) {
        const { value, done } = await reader.read();
        assert.ok(!done, `the host ended by itself: ${text}`);
        text += value;
      }
    },
    async kill() {
      child.kill("SIGKILL");
      await child.status;
      await reader.cancel().catch(() => {});
    },
  };
}

Deno.test("jobs survive kill -9: every one is completed, and what it wrote is there once", async () => {
  await using shop = await openWorkshop();
  const dir = `${shop.dir}/data`;
  const core = new URL("..", import.meta.url).href.replace(/\/$/, "");
  const program = `${shop.dir}/host.ts`;
  await Deno.writeTextFile(program, HOST.replaceAll("CORE", core));
  // Killed after some more jobs each time: in the middle of the work, wherever that is.
  for (let run = 0; run < 5; run++) {
    const host = startHost(program, dir, run, 40);
    await within(host.completed(1 + run * 5), `run ${run}`, 60_000);
    await host.kill();
  }
  using db = new DatabaseSync(`${dir}/carrel.db`, { readOnly: true });
  const open = db.prepare("select count(*) as count from job where status <> 'completed'");
  const last = startHost(program, dir, 5, 0);
  await within(last.completed(Number(open.get()!.count)), "the last run", 60_000);
  await last.kill();

  const jobs = db.prepare("select status, input_json from job").all();
  assert.ok(jobs.length >= 40);
  assert.deepEqual([...new Set(jobs.map(({ status }) => status))], ["completed"]);
  const written = db.prepare("select name, user_id as digest from collection").all();
  assert.deepEqual(
    written.map(({ name }) => name).sort(),
    jobs.map(({ input_json }) => JSON.parse(input_json as string)).sort(),
  );
  for (const { digest } of written) {
    const name = digest as string;
    assert.ok(Deno.statSync(`${dir}/objects/${name.slice(0, 2)}/${name.slice(2)}`).size > 0);
  }
  assert.equal(db.prepare("pragma integrity_check").get()!.integrity_check, "ok");
});

Deno.test("a job below a crashed one keeps its parent and its place", async () => {
  await using shop = await openWorkshop();
  const adder = shop.engine({});
  const parent = await adder.jobs.add(noop());
  const child = await adder.jobs.add(noop({ parent: parent.id, priority: 9 }));
  await shop.sql.db.updateTable("job").set({ status: "running", attempt: 1, lease_owner: "dead" })
    .where("id", "=", parent.id).execute();
  const order: string[] = [];
  const engine = shop.engine({
    concurrency: 1,
    handlers: { noop: { run: async ({ job }) => void order.push(job.id) } },
  });
  await engine.start();
  await within(engine.jobs.finished(parent.id));
  await within(engine.jobs.finished(child.id));
  assert.deepEqual(order, [child.id, parent.id]);
});
