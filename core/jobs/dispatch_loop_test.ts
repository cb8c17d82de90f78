import assert from "node:assert/strict";
import type { Job, NewJob } from "./job.ts";
import { noopHandler } from "./noop.ts";
import { createDoor, noop, openWorkshop, within, type Workshop } from "./testing.ts";

/** An engine whose jobs run until they are let go, and the order in which they began. */
async function heldEngine(shop: Workshop, options: Parameters<Workshop["engine"]>[0]) {
  const began: string[] = [];
  const held = new Map<string, () => void>();
  let notify = () => {};
  const engine = shop.engine({
    ...options,
    handlers: {
      noop: {
        run: ({ job }) =>
          new Promise<void>((resolve) => {
            began.push(job.input as string);
            held.set(job.input as string, resolve);
            notify();
          }),
      },
    },
  });
  const untilBegan = async (count: number) => {
    while (began.length < count) {
      await within(new Promise<void>((resolve) => notify = resolve), `${count} began: ${began}`);
    }
  };
  /** Lets a job go and waits for its end. */
  const finish = async (job: Job) => {
    held.get(job.input as string)!();
    await within(engine.jobs.finished(job.id));
  };
  const add = (name: string, more: Partial<NewJob> = {}) =>
    engine.jobs.add(noop({ input: name, ...more }));
  const releaseAll = () => held.forEach((resolve) => resolve());
  return { engine, began, untilBegan, finish, add, releaseAll };
}

/** Every job that can begin has begun once a job added later, in a class of its own, was looked at. */
async function settle(shop: Workshop): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await shop.sql.db.selectFrom("job").select("row").limit(1).execute();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("the claim takes the highest priority first, and the oldest of equals", async () => {
  await using shop = await openWorkshop();
  const { engine, began, untilBegan, add, releaseAll } = await heldEngine(shop, {
    concurrency: 20,
  });
  await add("a5", { priority: 5 });
  await add("b9", { priority: 9 });
  await add("c5", { priority: 5 });
  await add("d10", { priority: 10 });
  await engine.start();
  await untilBegan(4);
  assert.deepEqual(began, ["d10", "b9", "a5", "c5"]);
  releaseAll();
});

Deno.test("a minute of waiting counts as one point of priority", async () => {
  await using shop = await openWorkshop();
  const { engine, began, untilBegan, add, releaseAll } = await heldEngine(shop, {
    concurrency: 20,
  });
  await add("old 4", { priority: 4 });
  shop.clock.advance(61_000);
  await add("new 5", { priority: 5 });
  await add("new 6", { priority: 6 });
  await engine.start();
  await untilBegan(3);
  assert.deepEqual(began, ["new 6", "old 4", "new 5"]);
  releaseAll();
});

Deno.test("one slot is kept for urgent jobs", async () => {
  await using shop = await openWorkshop();
  const { engine, began, untilBegan, add, finish, releaseAll } = await heldEngine(shop, {
    concurrency: 2,
  });
  await engine.start();
  const first = await add("first");
  await add("second");
  await untilBegan(1);
  await settle(shop);
  assert.deepEqual(began, ["first"]);
  const urgent = await add("urgent", { priority: 8 });
  await untilBegan(2);
  await add("urgent too", { priority: 8 });
  await settle(shop);
  assert.deepEqual(began, ["first", "urgent"]);
  await finish(urgent);
  await untilBegan(3);
  await finish(first);
  await untilBegan(4);
  assert.deepEqual(began, ["first", "urgent", "urgent too", "second"]);
  releaseAll();
});

Deno.test("saturated classes are passed over, and taken up again when a slot of theirs is free", async () => {
  await using shop = await openWorkshop();
  const limits: Record<string, number> = { "plugin:a": 2, "site:slow.org": 1 };
  const { engine, began, untilBegan, add, finish, releaseAll } = await heldEngine(shop, {
    concurrency: 10,
    classLimits: (name) => limits[name],
  });
  const a: Job[] = [];
  for (const name of ["a1", "a2", "a3", "a4"]) a.push(await add(name, { plugin: "a" }));
  const slow = await add("s1", { plugin: "b", site: "slow.org" });
  await add("s2", { plugin: "b", site: "slow.org" });
  await add("free");
  await engine.start();
  await untilBegan(4);
  await settle(shop);
  assert.deepEqual(began, ["a1", "a2", "s1", "free"]);
  await finish(slow);
  await untilBegan(5);
  assert.equal(began[4], "s2");
  await finish(a[0]!);
  await untilBegan(6);
  await settle(shop);
  assert.deepEqual(began.slice(5), ["a3"]);
  releaseAll();
});

Deno.test("class limits hold while hundreds of jobs come and go", async () => {
  await using shop = await openWorkshop();
  const limits: Record<string, number> = {
    "plugin:a": 3,
    "plugin:b": 1,
    "site:x": 2,
    "kind:noop": 9,
  };
  const now = new Map<string, number>();
  const most = new Map<string, number>();
  const count = (job: Job, by: number) => {
    for (const name of [`plugin:${job.plugin}`, `site:${job.site}`, "kind:noop"]) {
      const value = (now.get(name) ?? 0) + by;
      now.set(name, value);
      most.set(name, Math.max(value, most.get(name) ?? 0));
    }
  };
  const engine = shop.engine({
    concurrency: 16,
    classLimits: (name) => limits[name],
    handlers: {
      noop: {
        async run({ job }) {
          count(job, 1);
          for (let turn = 0; turn < job.id.charCodeAt(29) % 7; turn++) {
            await new Promise((resolve) => setTimeout(resolve));
          }
          count(job, -1);
        },
      },
    },
  });
  await engine.start();
  const jobs = await Promise.all(Array.from({ length: 300 }, (_, index) =>
    engine.jobs.add(noop({
      plugin: ["a", "b", "c"][index % 3]!,
      site: ["x", "y"][index % 2]!,
      priority: 1 + index % 10,
    }))));
  for (const { id } of jobs) await within(engine.jobs.finished(id));
  for (const [name, limit] of Object.entries(limits)) {
    assert.ok(most.get(name)! <= limit, `${name}: ${most.get(name)} > ${limit}`);
  }
  assert.equal((await engine.jobs.counts()).completed, 300);
});

Deno.test("a dead host's leases lapse: its jobs run again elsewhere, and its late word changes nothing", async () => {
  await using shop = await openWorkshop();
  for (const hasCommit of [true, false]) {
    const written: unknown[] = [];
    const commit = async (_: unknown, value: unknown) => {
      written.push(value);
      return value;
    };
    const makeEngine = (name: string, more: object) => {
      const door = createDoor();
      const run = async () => {
        await door.pass();
        return name;
      };
      const handlers = { noop: hasCommit ? { run, commit } : { run } };
      return { door, ...shop.engine({ soleHost: false, handlers, ...more }) };
    };
    // Its beat is so slow that it counts as dead.
    const dead = makeEngine("dead", { beatMs: 1e9, sweepMs: 1e9 });
    await dead.start();
    const { id } = await dead.jobs.add(noop());
    await within(dead.door.reached);
    const living = makeEngine("living", {});
    await living.start();
    assert.equal((await living.jobs.get(id)).status, "running");
    shop.clock.advance(20_000);
    await within(living.door.reached);
    // The job runs again, so only the number of the attempt tells the two apart.
    dead.door.open();
    await dead.drain();
    assert.equal((await living.jobs.get(id)).status, "running");
    living.door.open();
    const job = await within(living.jobs.finished(id));
    assert.deepEqual([job.status, job.attempt, job.result], ["completed", 2, "living"]);
    assert.deepEqual(written, hasCommit ? ["living"] : []);
    await living.drain();
  }
});

Deno.test("beats keep the lease of a long job", async () => {
  await using shop = await openWorkshop();
  const { engine, untilBegan, add, finish } = await heldEngine(shop, { soleHost: false });
  await engine.start();
  const other = shop.engine({ soleHost: false, handlers: { noop: noopHandler } });
  await other.start();
  await other.drain();
  const job = await add("long");
  await untilBegan(1);
  for (let turn = 0; turn < 12; turn++) {
    shop.clock.advance(5_000);
    await settle(shop);
  }
  await finish(job);
  const done = await engine.jobs.get(job.id);
  assert.deepEqual([done.status, done.attempt], ["completed", 1]);
});

Deno.test("start() takes back at once what the last host left, whatever its leases say", async () => {
  await using shop = await openWorkshop();
  const adder = shop.engine({});
  const ids: string[] = [];
  for (let index = 0; index < 5; index++) {
    ids.push((await adder.jobs.add(noop({ maxAttempts: index === 3 ? 1 : 4 }))).id);
  }
  const row = (id: string) => shop.sql.db.updateTable("job").where("id", "=", id);
  const held = { lease_owner: "host_dead", lease_until_ms: shop.clock.now() + 15_000 };
  await row(ids[0]!).set({ ...held, status: "running", attempt: 1 }).execute();
  await row(ids[1]!).set({ ...held, status: "cancelling", attempt: 1 }).execute();
  await row(ids[2]!).set({ ...held, status: "running", attempt: 10 }).execute();
  await row(ids[3]!).set({ ...held, status: "running", attempt: 1 }).execute();
  await row(ids[4]!).set({ ...held, status: "running", attempt: 4 }).execute();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  const ends = await Promise.all(ids.map((id) => within(engine.jobs.finished(id))));
  assert.deepEqual(ends.map(({ status, attempt, error }) => [status, attempt, error?.code]), [
    ["completed", 2, undefined],
    ["cancelled", 1, undefined],
    ["failed", 10, "lost"],
    ["failed", 1, "lost"],
    ["completed", 5, undefined],
  ]);
});

Deno.test("start() promotes what fell due while no host ran, however much it is", async () => {
  await using shop = await openWorkshop();
  const adder = shop.engine({});
  await Promise.all(
    Array.from({ length: 450 }, () => adder.jobs.add(noop({ runAtMs: shop.clock.now() + 1_000 }))),
  );
  shop.clock.advance(2_000);
  const engine = shop.engine({ handlers: { noop: noopHandler }, concurrency: 32 });
  let done = 0;
  const all = new Promise<void>((resolve) =>
    shop.events.on(
      "job.event",
      ({ status }) => status === "completed" && ++done === 450 && resolve(),
    )
  );
  await engine.start();
  await within(all);
});

Deno.test("a fault of the store while claiming is reported, and the next claim works", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({ handlers: { noop: noopHandler } });
  await engine.start();
  await shop.sql.db.schema.alterTable("job_event").renameTo("job_event_away").execute();
  await assert.rejects(engine.jobs.add(noop()), /job_event/);
  await shop.sql.db.schema.alterTable("job_event_away").renameTo("job_event").execute();
  const { id } = await engine.jobs.add(noop());
  assert.equal((await within(engine.jobs.finished(id))).status, "completed");
});
