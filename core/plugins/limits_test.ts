import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../sandbox/types.ts";
import {
  DEFAULT_CEILING,
  figure,
  hostLimits,
  limitRequests,
  limitsChangeSchema,
  limitsOf,
} from "./limits.ts";

Deno.test("hostLimits() lays the operator's words over Carrel's own, the default never above the ceiling", () => {
  const plain = hostLimits();
  assert.deepEqual(plain, { default: DEFAULT_LIMITS, ceiling: DEFAULT_CEILING });
  const host = hostLimits({ default: { wall_s: 60, cpu_s: 9000 }, ceiling: { memory_mb: 128 } });
  assert.equal(host.default.wall_s, 60);
  assert.equal(host.default.memory_mb, 128);
  assert.equal(host.ceiling.memory_mb, 128);
  assert.equal(host.ceiling.cpu_s, 9000);
});

Deno.test("limitsOf() gives the default, what is asked up to the ceiling, and what the operator set whatever it is", () => {
  const host = hostLimits({ default: { wall_s: 60 }, ceiling: { memory_mb: 1024 } });
  const asked = { memory_mb: 65_536, cpu_s: 5 };
  const limits = limitsOf(asked, host);
  assert.deepEqual([limits.memory_mb, limits.cpu_s, limits.wall_s], [1024, 5, 60]);
  const raised = limitsOf(asked, host, { memory_mb: 8192, wall_s: 1 }, { wall_s: 9999 });
  assert.deepEqual([raised.memory_mb, raised.cpu_s, raised.wall_s], [8192, 5, 9999]);
  assert.equal(limitsOf(asked, host, { memory_mb: 8192 }, {}).memory_mb, 8192);
});

Deno.test("limitRequests() says in plain words what is asked above the default, and what of it is given", () => {
  const host = hostLimits();
  const asked = { memory_mb: 65_536, wall_s: 86_400, cpu_s: 60, output_mb: 1, concurrency: 64 };
  const given = limitsOf(asked, host, { concurrency: 3 });
  assert.deepEqual(limitRequests(asked, host, given).map(({ limit, text }) => [limit, text]), [
    ["memory_mb", "Asks for 64 GiB of memory; this host gives at most 4 GiB"],
    ["cpu_s", "Use up to 1 min of processor time a call; the default is 30 s"],
    ["wall_s", "Asks for 24 h of time a call; this host gives at most 2 h"],
    ["concurrency", "Asks for 64 processes at once; the operator has set 3"],
  ]);
  assert.deepEqual(limitRequests(asked, host, given)[0], {
    limit: "memory_mb",
    text: "Asks for 64 GiB of memory; this host gives at most 4 GiB",
    asked: 65_536,
    default: 512,
    given: 4096,
  });
  assert.deepEqual(limitRequests({ memory_mb: 512, log_rate: 1 }, host, host.default), []);
});

Deno.test("limitsChangeSchema says which numbers a limit takes, whatever stands there", () => {
  for (const memory_mb of [NaN, 1e300, 1.5, 1, "much", Infinity]) {
    const { error } = limitsChangeSchema.safeParse({ memory_mb });
    assert.equal(error?.issues[0]?.message, "expected a whole number from 64 to 65536");
  }
  assert.equal(
    limitsChangeSchema.safeParse({ cpu_s: 0 }).error?.issues[0]?.message,
    "expected a number of seconds from 0.1 to 86400",
  );
  assert.deepEqual(limitsChangeSchema.parse({ cpu_s: 0.5, disk_mb: 0 }), {
    cpu_s: 0.5,
    disk_mb: 0,
  });
});

Deno.test("figure() shows a limit in the unit that people read", () => {
  assert.equal(figure("memory_mb", 512), "512 MiB");
  assert.equal(figure("memory_mb", 1536), "1.5 GiB");
  assert.equal(figure("event_kb", 256), "256 KiB");
  assert.equal(figure("disk_mb", 0), "0 KiB");
  assert.equal(figure("wall_s", 0.5), "0.5 s");
  assert.equal(figure("wall_s", 90), "1.5 min");
  assert.equal(figure("requests", 256), "256");
});
