import assert from "node:assert/strict";
import type { Job, NewJob } from "./job.ts";
import { createRateLimits, type Rate } from "./rate_limits.ts";
import { noop, openWorkshop, within, type Workshop } from "./testing.ts";

const ratesOf = (rates: Record<string, Rate>) => (name: string) => rates[name];

Deno.test("createRateLimits() spreads what may begin evenly", () => {
  let limits = createRateLimits(ratesOf({ a: { per_minute: 7 } }));
  const began: number[] = [];
  for (let nowMs = 0; nowMs < 120_000; nowMs++) {
    if (nowMs === limits.nextToken() || nowMs === 0) limits = limits.at(nowMs);
    if (limits.tokens("a") === 0) continue;
    began.push(nowMs);
    limits.take("a");
    assert.deepEqual(limits.empty(), ["a"]);
  }
  assert.equal(began.length, 14);
  const gaps = began.slice(1).map((at, index) => at - began[index]!);
  assert.ok(gaps.every((gap) => gap >= 8_571 && gap <= 8_573), String(gaps));
});

Deno.test("createRateLimits() lets a burst begin at once after a rest, and no more in a minute than it says", () => {
  let limits = createRateLimits(ratesOf({ a: { per_minute: 60, burst: 5 } }), 1_000);
  for (let count = 5; count > 0; count--) {
    assert.equal(limits.tokens("a"), count);
    limits.take("a");
  }
  assert.equal(limits.tokens("a"), 0);
  assert.equal(limits.nextToken(), 2_000);
  limits = limits.at(3_000);
  assert.deepEqual([limits.tokens("a"), limits.nextToken()], [2, undefined]);
  limits = limits.at(60_000);
  assert.equal(limits.tokens("a"), 5);
});

Deno.test("createRateLimits() knows no limit for a class without a rate, and forgets what has rested", () => {
  const limits = createRateLimits(ratesOf({ a: { per_minute: 1 } }));
  limits.take("b");
  assert.deepEqual([limits.tokens("b"), limits.empty()], [Infinity, []]);
  limits.take("a");
  assert.deepEqual(limits.empty(), ["a"]);
  assert.deepEqual(limits.at(60_000).empty(), []);
});

Deno.test("createRateLimits() closes no class for longer than its burst when the clock is set back", () => {
  let limits = createRateLimits(ratesOf({ a: { per_minute: 60 } }), 9_000_000);
  limits.take("a");
  limits = limits.at(0);
  assert.equal(limits.nextToken(), 1_000);
  assert.equal(limits.at(1_000).tokens("a"), 1);
});

/** An engine whose jobs end at once, and when each began, in seconds from the start. */
async function engineWith(
  shop: Workshop,
  rates: Record<string, Rate>,
  options: Parameters<Workshop["engine"]>[0] = {},
) {
  const startMs = shop.clock.now();
  const began: [string, number][] = [];
  const engine = shop.engine({
    concurrency: 4,
    classRates: ratesOf(rates),
    handlers: {
      noop: {
        run: ({ job }) =>
          Promise.resolve(
            void began.push([job.input as string, (shop.clock.now() - startMs) / 1000]),
          ),
      },
    },
    ...options,
  });
  const add = (name: string, more: Partial<NewJob> = {}) =>
    engine.jobs.add(noop({ input: name, ...more }));
  /** Turns the clock to the next timer of the loop, as often as it takes for these to end. */
  const untilEnded = async (jobs: readonly Job[]) => {
    let ended = 0;
    const all = Promise.all(jobs.map(({ id }) => engine.jobs.finished(id).then(() => ended++)));
    for (let turn = 0; ended < jobs.length && turn < 400; turn++) {
      await settle(shop);
      if (ended < jobs.length) shop.clock.advance(500);
    }
    await within(all);
  };
  return { engine, began, add, untilEnded };
}

/** What was asked for by now has been done: the store has answered and the loop has turned. */
async function settle(shop: Workshop): Promise<void> {
  for (let turn = 0; turn < 20; turn++) {
    await shop.sql.db.selectFrom("job").select("row").limit(1).execute();
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("jobs of a class with a rate begin no faster, in order of priority, and hold back no others", async () => {
  await using shop = await openWorkshop();
  const { engine, began, add, untilEnded } = await engineWith(shop, {
    "site:slow.org": { per_minute: 30 },
  });
  const jobs: Job[] = [];
  for (const priority of [3, 9, 5, 1, 7]) {
    jobs.push(await add(`slow ${priority}`, { site: "slow.org", priority }));
  }
  for (let index = 0; index < 10; index++) {
    jobs.push(await add("free", { priority: 1, site: "fast.org" }));
  }
  await engine.start();
  await untilEnded(jobs);
  assert.deepEqual(began.filter(([name]) => name !== "free"), [
    ["slow 9", 0],
    ["slow 7", 2],
    ["slow 5", 4],
    ["slow 3", 6],
    ["slow 1", 8],
  ]);
  assert.ok(began.every(([name, at]) => name !== "free" || at === 0), String(began));
});

Deno.test("rates of a plugin and of a site hold together, and a burst begins at once", async () => {
  await using shop = await openWorkshop();
  const { engine, began, add, untilEnded } = await engineWith(shop, {
    "plugin:p": { per_minute: 60, burst: 3 },
    "site:s": { per_minute: 20 },
  });
  const jobs: Job[] = [];
  for (let index = 0; index < 2; index++) {
    jobs.push(await add("s", { plugin: "p", site: "s" }));
  }
  for (let index = 0; index < 4; index++) jobs.push(await add("p", { plugin: "p" }));
  await engine.start();
  await untilEnded(jobs);
  assert.deepEqual(began.filter(([name]) => name === "s").map(([, at]) => at), [0, 3]);
  assert.deepEqual(began.filter(([name]) => name === "p").map(([, at]) => at), [0, 0, 1, 2]);
});

Deno.test("the loop keeps one timer for all tokens, and none when nothing is held back", async () => {
  await using shop = await openWorkshop();
  const rates = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`site:s${index}`, { per_minute: 60 }]),
  );
  const { engine, add, untilEnded } = await engineWith(shop, rates, { concurrency: 64 });
  await engine.start();
  await settle(shop);
  const idle = shop.clock.timers;
  const jobs: Job[] = [];
  for (let index = 0; index < 150; index++) jobs.push(await add("x", { site: `s${index % 50}` }));
  await settle(shop);
  assert.equal(shop.clock.timers, idle + 1);
  await untilEnded(jobs);
  shop.clock.advance(2_000);
  await settle(shop);
  assert.equal(shop.clock.timers, idle);
});
