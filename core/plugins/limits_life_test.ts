import assert from "node:assert/strict";
import { hostLimits } from "./limits.ts";
import { offered, withWorld, yaml } from "./testing.ts";

const ID = "import.large";
const GREEDY = "permissions: {limits: {memory_mb: 65536, wall_s: 86400, cpu_s: 10}}\n";

const texts = ({ limitRequests }: { limitRequests: readonly { text: string }[] }) =>
  limitRequests.map(({ text }) => text);

Deno.test("an install shows what is asked above the default limits, and gives no more than the ceiling", async () => {
  await withWorld(async ({ plugins, plugin, restart }) => {
    const consent = await offered(plugins, await plugin("large", yaml(ID, GREEDY)));
    assert.deepEqual(texts(consent), [
      "Asks for 64 GiB of memory; this host gives at most 2 GiB",
      "Asks for 24 h of time a call; this host gives at most 2 h",
    ]);
    await plugins.decide(consent.id, []);
    const { limits } = plugins.get(ID);
    assert.deepEqual([limits.memory_mb, limits.wall_s, limits.cpu_s], [2048, 7200, 10]);
    assert.deepEqual(limits.log_rate, 7);
    assert.deepEqual(texts(plugins.get(ID)), texts(consent));
    assert.deepEqual((await plugins.runnerSpec(ID)).limits, limits);

    // The operator may go above the ceiling, for this one.
    await plugins.setConfig(ID, { limits: { memory_mb: 8192 } });
    assert.equal((await plugins.runnerSpec(ID)).limits.memory_mb, 8192);
    assert.equal(
      texts(plugins.get(ID))[0],
      "Asks for 64 GiB of memory; the operator has set 8 GiB",
    );
    await plugins.setConfig(ID, { limits: { memory_mb: null } });
    assert.equal(plugins.get(ID).limits.memory_mb, 2048);

    await using again = await restart({ limits: hostLimits() });
    assert.equal(again.get(ID).limits.memory_mb, 4096);
  }, async () => ({
    limits: hostLimits({ default: { log_rate: 7 }, ceiling: { memory_mb: 2048 } }),
  }));
});

Deno.test("an update shows the limits that it would change, and those above the default as an install does", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const first = await offered(plugins, await plugin("large", yaml(ID)));
    assert.deepEqual(texts(first), []);
    await plugins.decide(first.id, []);
    const update = await offered(plugins, await plugin("large", yaml(ID, GREEDY, "1.1.0")));
    assert.deepEqual(update.difference?.limits, {
      memory_mb: { from: 512, to: 4096 },
      wall_s: { from: 300, to: 7200 },
      cpu_s: { from: 30, to: 10 },
    });
    assert.equal(texts(update)[0], "Asks for 64 GiB of memory; this host gives at most 4 GiB");
  });
});
