/** Priorities under load: who comes first, and that everybody comes. */
import assert from "node:assert/strict";
import type { Job } from "./job.ts";
import { noop, openWorkshop, within, type Workshop } from "./testing.ts";

/** What was asked for by now has been done. */
async function settle(shop: Workshop): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await shop.sql.db.selectFrom("job").select("row").limit(1).execute();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("under load jobs of every priority begin in its order, class by class", async () => {
  await using shop = await openWorkshop();
  const began = new Map<string, number[]>();
  const engine = shop.engine({
    concurrency: 9,
    classLimits: (name) => name === "plugin:a" ? 2 : name === "plugin:b" ? 3 : undefined,
    handlers: {
      noop: {
        async run({ job }) {
          const name = job.plugin!;
          began.set(name, [...began.get(name) ?? [], job.priority]);
          for (let turn = 0; turn < job.id.charCodeAt(20) % 4; turn++) {
            await new Promise((resolve) => setTimeout(resolve));
          }
        },
      },
    },
  });
  const jobs: Job[] = [];
  for (let index = 0; index < 600; index++) {
    jobs.push(
      await engine.jobs.add(noop({
        plugin: ["a", "b", "c"][index % 3]!,
        // A multiplier without common factors mixes the ten priorities within each class.
        priority: 1 + (index * 7) % 10,
      })),
    );
  }
  await engine.start();
  for (const { id } of jobs) await within(engine.jobs.finished(id), "all end", 20_000);
  for (const [name, priorities] of began) {
    assert.equal(priorities.length, 200, name);
    // The slot for urgent ones lets 8 and above go before their turn, nothing else does.
    const order = priorities.filter((priority) => priority < 8);
    assert.deepEqual(order, order.toSorted((one, other) => other - one), name);
    const urgent = priorities.filter((priority) => priority >= 8);
    assert.deepEqual(urgent, urgent.toSorted((one, other) => other - one), name);
  }
});

Deno.test("an urgent job begins at once behind a thousand slow ones of a full class", async () => {
  await using shop = await openWorkshop();
  const began: string[] = [];
  const { promise: end, resolve: finish } = Promise.withResolvers<void>();
  const engine = shop.engine({
    concurrency: 4,
    classLimits: (name) => name === "site:slow.org" ? 2 : undefined,
    handlers: {
      noop: {
        async run({ job, signal }) {
          began.push(job.input as string);
          signal.addEventListener("abort", () => finish());
          if (job.site !== undefined) await end;
        },
      },
    },
  });
  await engine.start();
  await Promise.all(
    Array.from(
      { length: 1_000 },
      () => engine.jobs.add(noop({ input: "slow", site: "slow.org", priority: 7 })),
    ),
  );
  await settle(shop);
  assert.deepEqual(began, ["slow", "slow"]);
  const normal = await engine.jobs.add(noop({ input: "normal", priority: 1 }));
  await within(engine.jobs.finished(normal.id));
  const urgent = await engine.jobs.add(noop({ input: "urgent", priority: 10 }));
  await within(engine.jobs.finished(urgent.id));
  assert.deepEqual(began, ["slow", "slow", "normal", "urgent"]);
});

Deno.test("a job of priority 1 is not starved by a stream of higher ones: it ages past them", async () => {
  await using shop = await openWorkshop();
  const began: string[] = [];
  const engine = shop.engine({});
  const lowest = await engine.jobs.add(noop({ input: "lowest", priority: 1 }));
  for (let job = 0; job < 3; job++) await engine.jobs.add(noop({ input: "0", priority: 9 }));
  // One job a minute is worked off, and one of priority 9 comes a minute: without ageing its turn never comes.
  let minute = 0;
  for (; minute < 30 && !began.includes("lowest"); minute++) {
    await engine.jobs.add(noop({ input: String(minute), priority: 9 }));
    await oneJob(engine.jobs.counts, shop);
    shop.clock.advance(60_000);
  }
  assert.equal((await engine.jobs.get(lowest.id)).status, "completed");
  // Eight points behind: eight minutes, and those that were before it by then.
  assert.ok(minute >= 8 && minute <= 13, String(minute));

  /** Lets a host of its own take one job and no more. */
  async function oneJob(counts: typeof engine.jobs.counts, shop: Workshop): Promise<void> {
    const before = (await counts()).completed;
    const { promise: next, resolve } = Promise.withResolvers<void>();
    const host = shop.engine({
      concurrency: 1,
      handlers: {
        noop: {
          run({ job }) {
            began.push(job.input as string);
            // Nothing is taken after this one.
            drained = host.drain();
            resolve();
            return Promise.resolve();
          },
        },
      },
    });
    let drained: Promise<void> | undefined;
    await host.start();
    await within(next);
    await drained;
    await host[Symbol.asyncDispose]();
    assert.equal((await counts()).completed, before + 1);
  }
});
