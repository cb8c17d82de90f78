import { ok, strictEqual } from "node:assert/strict";
import { createPool } from "../../sandbox/pool.ts";
import type { TrustLevel } from "../../sandbox/types.ts";
import { CATALOGUE, SURFACES } from "./catalogue.ts";
import { alive, attack, JOB, type Range, withRange } from "./harness.ts";

interface Level {
  readonly name: string;
  readonly trust: TrustLevel;
  readonly bwrap: boolean;
}

const LEVELS: readonly Level[] = [
  { name: "sandboxed under bwrap", trust: "sandboxed", bwrap: true },
  { name: "sandboxed without bwrap", trust: "sandboxed", bwrap: false },
  { name: "restricted", trust: "restricted", bwrap: false },
  { name: "trusted", trust: "trusted", bwrap: false },
];

/** The server of the same process, asked while the programs run: the host is there for others. */
async function healthz(): Promise<AsyncDisposable & { ask(): Promise<void> }> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("ok"),
  );
  const url = `http://127.0.0.1:${server.addr.port}/healthz`;
  return {
    async ask() {
      strictEqual(await (await fetch(url)).text(), "ok");
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function runAll(test: Deno.TestContext, range: Range, level: Level): Promise<void> {
  const { base, world } = range;
  await using host = await healthz();
  await using pool = createPool({
    denoDirs: `${base}/deno`,
    denied: () => [range.denied],
    barriers: { bwrap: level.bwrap },
    // One that is clean is closed as soon as it is given back, whatever its level.
    idleMs: 0,
  });
  const harmless = {
    name: "harmless",
    attack: () => "here",
    expect: { returns: "here" },
  } as const;
  await using witness = await pool.acquire(await range.prepare(harmless, level.trust));
  for (const { name, program } of CATALOGUE) {
    if (program.ipv6 && world.port6 === 0) continue;
    await test.step(name, async () => {
      const spec = await range.prepare(program, level.trust);
      const attacked = attack(pool, spec, world, program.expect);
      await host.ask();
      strictEqual(await attacked, undefined);
      strictEqual(await witness.call("extract", [], { job: JOB }), "here");
      strictEqual(({} as Record<string, unknown>).polluted, undefined);
    });
  }
  const { bwrap } = pool.stats().barriers!;
  ok(bwrap.state === (level.bwrap ? bwrap.state : "off"));
  ok(alive(witness.pid));
}

for (const level of LEVELS) {
  Deno.test(`every hostile program is confined: ${level.name}`, (test) =>
    withRange(async (range) => {
      await runAll(test, range, level);
      strictEqual(range.hits(), 0, "the server that nobody may reach was reached");
      strictEqual(await Deno.readTextFile(range.world.canary), "secret");
    }));
}

Deno.test("the catalogue has programs for every surface, each once", () => {
  ok(CATALOGUE.length >= 60);
  strictEqual(new Set(CATALOGUE.map(({ name }) => name)).size, CATALOGUE.length);
  for (const surface of SURFACES) {
    ok(CATALOGUE.some((row) => row.surface === surface), surface);
  }
});
