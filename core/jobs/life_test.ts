/** Lives of jobs at random: whatever comes in whatever order, the rules of `states.ts` hold. */
import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { isEnded, type JobEvent, type JobStatus } from "./job.ts";
import { canFollow, FIRST_STATUSES } from "./states.ts";
import { noop, openWorkshop, within } from "./testing.ts";

/** Numbers below a bound, the same for the same seed (xorshift). */
function createDice(seed: number): (sides: number) => number {
  let state = seed * 2654435761 >>> 0 || 1;
  return (sides) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % sides;
  };
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

async function live(seed: number): Promise<void> {
  await using shop = await openWorkshop();
  const dice = createDice(seed);
  const events: JobEvent[] = [];
  shop.events.on("job.event", (event) => events.push(event));
  const commits = new Map<string, number>();
  const options = {
    concurrency: 1 + dice(6),
    classLimits: (name: string) =>
      name.startsWith("site:") ? 1 + name.charCodeAt(5) % 2 : undefined,
    handlers: {
      noop: {
        async run({ signal, progress }: { signal: AbortSignal; progress(percent: number): void }) {
          for (let step = dice(4); step > 0; step--) {
            progress(dice(100));
            await turn();
            if (dice(2)) signal.throwIfAborted();
          }
          const luck = dice(10);
          if (luck === 0) throw new CarrelError("damaged", "bad luck");
          if (luck <= 2) throw new CarrelError("fetch_failed", "try again", { retryable: true });
        },
        // deno-lint-ignore no-explicit-any
        async commit(_tx: any, _value: unknown, job: { id: string }) {
          commits.set(job.id, (commits.get(job.id) ?? 0) + 1);
        },
      },
    },
  };
  let engine = shop.engine(options);
  await engine.start();
  const ids: string[] = [];
  const any = () => ids[dice(ids.length)]!;
  const refused = (error: unknown) => {
    if (!(error instanceof CarrelError) || !["conflict", "cancelled"].includes(error.code)) {
      throw error;
    }
  };
  for (let step = 0; step < 150; step++) {
    const what = dice(12);
    if (ids.length === 0 || what < 5) {
      const { id } = await engine.jobs.add(noop({
        priority: 1 + dice(10),
        site: ["x", "y", undefined][dice(3)],
        parent: ids.length > 0 && dice(3) === 0 ? any() : undefined,
        flightKey: dice(4) === 0 ? `flight ${dice(3)}` : undefined,
        runAtMs: dice(4) === 0 ? shop.clock.now() + dice(20_000) : undefined,
      })).catch((error) => (refused(error), { id: undefined }));
      if (id !== undefined && !ids.includes(id)) ids.push(id);
    } else if (what === 5) await engine.jobs.cancel(any());
    else if (what === 6) await engine.jobs.retry(any()).catch(refused);
    else if (what === 7 && dice(4) === 0) {
      const closing = engine[Symbol.asyncDispose]();
      await within(closing);
      engine = shop.engine(options);
      await engine.start();
    } else if (what <= 9) shop.clock.advance(dice(3_000));
    else await turn();
  }
  const allEnded = async () => {
    const { completed, failed, cancelled } = await engine.jobs.counts();
    return completed + failed + cancelled === ids.length;
  };
  await within(
    (async () => {
      while (!await allEnded()) {
        shop.clock.advance(1_000);
        await turn();
      }
    })(),
    `seed ${seed}: ${JSON.stringify(await engine.jobs.counts())}`,
  );

  for (const id of ids) {
    const job = await engine.jobs.get(id);
    assert.equal(commits.get(id) ?? 0, job.status === "completed" ? 1 : 0, id);
    const story: JobEvent[] = [];
    for await (const event of engine.jobs.watch(id, {})) story.push(event);
    assert.deepEqual(story.map(({ seq }) => seq), story.map((_, index) => index + 1));
    assert.ok((FIRST_STATUSES as readonly JobStatus[]).includes(story[0]!.status));
    for (const [index, { status }] of story.entries()) {
      const before = story[index - 1]?.status;
      if (before === undefined || (before === status && status === "running")) continue;
      assert.ok(canFollow(before, status), `seed ${seed}: ${before} → ${status}`);
    }
    assert.ok(isEnded(story.at(-1)!.status));
    assert.equal(story.at(-1)!.status, job.status);
    assert.equal(job.completed === undefined, false);
    assert.ok(job.attempt <= 10);
  }
  const live = new Set(events.map(({ job_id, seq }) => `${job_id} ${seq}`));
  assert.equal(live.size, events.length);
  assert.deepEqual(shop.reports, []);
}

for (const seed of [1, 2, 3, 4, 5, 6]) {
  Deno.test(`jobs keep to the rules whatever happens to them (seed ${seed})`, () => live(seed));
}
