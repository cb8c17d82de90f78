/** Large answers of several runners at once: the host reads no more of them than it has room for. */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createPool } from "./pool.ts";
import { DEFAULT_LIMITS, type Limits, NO_GRANTS, type Pool, type RunnerSpec } from "./types.ts";

const MIB = 1024 * 1024;
const PLUGIN = `export default { kind: "import", methods: {
  echo: (input) => input,
  bytes: (length) => ({ bytes: new Uint8Array(length).fill(7) }),
  nested: async (length, ctx) => {
    await ctx.service("search", { length });
    return { bytes: new Uint8Array(length) };
  },
} };`;
const CALL = { job: { id: "job_1", idempotencyKey: "key_1" } };

async function withPool(
  inFlightBytes: number,
  body: (pool: Pool, spec: (limits?: Partial<Limits>) => RunnerSpec) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-answers-" });
  try {
    const bundle = `${folder}/bundle.js`;
    await Deno.writeTextFile(bundle, PLUGIN);
    await using pool = createPool({ denoDirs: `${folder}/deno`, inFlightBytes });
    await body(pool, (limits) => ({
      plugin: "import.test",
      version: "1.0.0",
      digest: "test",
      bundle,
      grants: { ...NO_GRANTS, services: ["search"] },
      config: {},
      trust: "restricted",
      limits: { ...DEFAULT_LIMITS, concurrency: 6, ...limits },
    }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const sizeOf = (answer: unknown) => (answer as { bytes: Uint8Array }).bytes.length;

/** Gives answers that are not held back all the time that they need. */
async function turns(pool: Pool, spec: RunnerSpec): Promise<void> {
  await using other = await pool.acquire(spec);
  for (let i = 0; i < 100; i++) await other.call("echo", [i], CALL);
}

for (const [name, room] of [["fits alone", 6 * MIB], ["is larger than all of it", MIB]] as const) {
  Deno.test(`createPool() reads one answer at a time when each ${name}, and all in the end`, () =>
    withPool(room, async (pool, spec) => {
      let now = 0;
      let most = 0;
      const desks = await Promise.all([1, 2, 3, 4].map(() => pool.acquire(spec())));
      const sizes = await Promise.all(desks.map(async (desk) => {
        const answer = await desk.call("bytes", [5 * MIB], CALL);
        most = Math.max(most, ++now);
        await turns(pool, spec());
        now--;
        await desk.release();
        return sizeOf(answer);
      }));
      deepStrictEqual([sizes, most], [[5, 5, 5, 5].map((n) => n * MIB), 1]);
    }));
}

Deno.test("createPool() gets through where an answer waits for another one, and where a desk goes on", () =>
  withPool(MIB, async (pool, spec) => {
    await using outer = await pool.acquire(spec());
    strictEqual(sizeOf(await outer.call("bytes", [3 * MIB], CALL)), 3 * MIB);
    const search = async () => {
      await using inner = await pool.acquire(spec());
      return { size: sizeOf(await inner.call("bytes", [3 * MIB], CALL)) };
    };
    // Two at once on one desk, each of which needs the other desk's answer.
    const both = [1, 2].map(() =>
      outer.call("nested", [3 * MIB], { ...CALL, services: { search } })
    );
    deepStrictEqual((await Promise.all(both)).map(sizeOf), [3 * MIB, 3 * MIB]);
  }));

Deno.test("createPool() gives room back when a runner ends before its answer was read", () =>
  withPool(MIB, async (pool, spec) => {
    const first = await pool.acquire(spec());
    const second = await pool.acquire(spec());
    const third = await pool.acquire(spec());
    await first.call("bytes", [3 * MIB], CALL);
    const stop = new AbortController();
    const stopped = second.call("bytes", [3 * MIB], { ...CALL, signal: stop.signal })
      .catch((error) => error.code);
    const last = third.call("bytes", [3 * MIB], CALL);
    await turns(pool, spec());
    stop.abort();
    // It cannot say that it has stopped, for nobody reads it.
    strictEqual(await stopped, "cancelled");
    await first.release();
    strictEqual(sizeOf(await last), 3 * MIB);
    await Promise.all([second.release(), third.release()]);
  }));

Deno.test("createPool() counts no time of a call in which the host does not read its answer", () =>
  withPool(MIB, async (pool, spec) => {
    const first = await pool.acquire(spec());
    await first.call("bytes", [3 * MIB], CALL);
    await using second = await pool.acquire(spec({ wall_s: 1 }));
    const begun = performance.now();
    const waits = second.call("bytes", [3 * MIB], CALL).then(sizeOf, (error) => error.code);
    while (performance.now() - begun < 1300) await turns(pool, spec());
    await first.release();
    strictEqual(await waits, 3 * MIB);
  }));
