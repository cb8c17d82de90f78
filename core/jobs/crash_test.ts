import assert from "node:assert/strict";
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
      { name: "downloading", executor: "host", digest: "d", from: 0 },
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

Deno.test("jobs survive kill -9: every one is completed, and what it wrote is there once", async () => {
  await using shop = await openWorkshop();
  const dir = `${shop.dir}/data`;
  const core = new URL("..", import.meta.url).href.replace(/\/$/, "");
  const program = `${shop.dir}/host.ts`;
  await Deno.writeTextFile(program, HOST.replaceAll("CORE", core));
  const root = new URL("../..", import.meta.url).pathname;
  const perRun = 40;
  const runs = 6;
  for (let run = 0; run < runs; run++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        `--config=${root}deno.json`,
        program,
        dir,
        `${root}migrations/sql`,
        `${run}`,
        `${run === runs - 1 ? 0 : perRun}`,
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    // Killed after some more jobs each time: in the middle of the work, wherever that is.
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const enough = run === runs - 1 ? perRun * (runs - 1) : 1 + run * 5;
    const isDone = () => {
      const completed = text.split("completed").length - 1;
      return run < runs - 1 ? completed >= enough : undefined;
    };
    await within(
      (async () => {
        for (;;) {
          if (isDone()) return;
          if (run === runs - 1 && await allDone(dir)) return;
          const { value, done } = run === runs - 1
            ? await Promise.race([lines.read(), tick()])
            : await lines.read();
          assert.ok(!done, `the host ended: ${text}`);
          text += value ?? "";
        }
      })(),
      `run ${run}`,
      60_000,
    );
    child.kill("SIGKILL");
    await child.status;
    await lines.cancel().catch(() => {});
  }
  const { DatabaseSync } = await import("node:sqlite");
  using db = new DatabaseSync(`${dir}/carrel.db`, { readOnly: true });
  const jobs = db.prepare("select id, status, input_json from job").all();
  assert.ok(jobs.length > 0);
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

const tick = () =>
  new Promise<{ value: string; done: boolean }>((resolve) =>
    setTimeout(() => resolve({ value: "", done: false }), 20)
  );

async function allDone(dir: string): Promise<boolean> {
  const { DatabaseSync } = await import("node:sqlite");
  using db = new DatabaseSync(`${dir}/carrel.db`, { readOnly: true });
  const row = db.prepare("select count(*) as open from job where status <> 'completed'").get()!;
  return Number(row.open) === 0;
}

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
