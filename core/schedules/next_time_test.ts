import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import { checkSpec, nextTime } from "./next_time.ts";
import type { ScheduleSpec } from "./schedules.ts";

const ms = (iso: string) => Date.parse(iso);
const nobody = () => Promise.reject(new Error("nobody is asked"));

async function times(spec: ScheduleSpec, from: string, count: number): Promise<string[]> {
  const found: string[] = [];
  let afterMs = ms(from);
  while (found.length < count) {
    const next = await nextTime(spec, { afterMs, lastMs: undefined, ask: nobody });
    if (next === undefined) break;
    found.push(new Date(next).toISOString().slice(0, 16));
    afterMs = next;
  }
  return found;
}

Deno.test("nextTime() takes a time that the clocks leave out an hour later, and a repeated one once", async () => {
  const daily = { cron: "30 2 * * *", timezone: "Europe/Berlin" };
  assert.deepEqual(await times(daily, "2026-03-28T00:00:00Z", 3), [
    "2026-03-28T01:30",
    "2026-03-29T01:00",
    "2026-03-30T00:30",
  ]);
  assert.deepEqual(await times(daily, "2026-10-24T00:00:00Z", 3), [
    "2026-10-24T00:30",
    "2026-10-25T00:30",
    "2026-10-26T01:30",
  ]);
  // What comes every hour comes every hour.
  assert.deepEqual(
    await times({ cron: "0 * * * *", timezone: "Europe/Berlin" }, "2026-10-24T23:30:00Z", 3),
    ["2026-10-25T00:00", "2026-10-25T01:00", "2026-10-25T02:00"],
  );
  assert.deepEqual(await times({ cron: "0 7 * * MON-FRI" }, "2026-01-02T08:00:00Z", 2), [
    "2026-01-05T07:00",
    "2026-01-06T07:00",
  ]);
  assert.deepEqual(await times({ cron: "@daily" }, "2026-01-02T08:00:00Z", 1), [
    "2026-01-03T00:00",
  ]);
});

Deno.test("nextTime() keeps an interval's beat over what was missed, and over a clock that was put back", async () => {
  const spec = { every_s: 3600 };
  const next = async (after: string, last?: string) =>
    new Date(
      (await nextTime(spec, {
        afterMs: ms(after),
        lastMs: last === undefined ? undefined : ms(last),
        ask: nobody,
      }))!,
    ).toISOString().slice(0, 16);
  assert.equal(await next("2026-01-01T00:10:00Z"), "2026-01-01T01:10");
  assert.equal(await next("2026-01-01T01:10:00Z", "2026-01-01T01:10:00Z"), "2026-01-01T02:10");
  assert.equal(await next("2026-01-09T00:00:00Z", "2026-01-01T01:10:00Z"), "2026-01-09T00:10");
  assert.equal(await next("2026-01-01T00:00:00Z", "2026-01-05T01:10:00Z"), "2026-01-01T00:10");
});

Deno.test("nextTime() asks a plugin, and takes no time that is past or at once", async () => {
  const spec = { plugin: "scheduler.moon", parameters: { phase: "full" } };
  const afterMs = ms("2026-01-01T00:00:00Z");
  const next = (said: string | null) =>
    nextTime(spec, {
      afterMs,
      lastMs: undefined,
      ask: (plugin, after, parameters) => {
        assert.deepEqual([plugin, after, parameters], [
          "scheduler.moon",
          "2026-01-01T00:00:00.000Z",
          { phase: "full" },
        ]);
        return Promise.resolve(said);
      },
    });
  assert.equal(await next("2026-01-03T10:03:00Z"), ms("2026-01-03T10:03:00Z"));
  assert.equal(await next(null), undefined);
  assert.equal(await next("2026-01-01T00:00:01Z"), afterMs + 60_000);
  for (const said of ["2025-12-31T00:00:00Z", "soon", ""]) {
    await assert.rejects(next(said), { code: "invalid_output" });
  }
});

Deno.test("checkSpec() refuses what never comes, comes too often or says nothing, and names the field", () => {
  const nowMs = ms("2026-01-01T00:00:00Z");
  const field = (spec: ScheduleSpec) => {
    try {
      checkSpec(spec, nowMs);
    } catch (error) {
      assert.equal((error as CarrelError).code, "invalid_parameters");
      return (error as CarrelError).details?.["field"];
    }
    return undefined;
  };
  for (
    const cron of [
      "",
      "* * * *",
      "0 0 30 2 *",
      "* * * * * *",
      "0,30 * * * * *",
      "60 * * * *",
      "a b c d e",
      "0 0 0 1 1 * 2020",
      "2030-01-01T00:00:00",
      "@reboot",
      "*/0 * * * *",
    ]
  ) assert.equal(field({ cron }), "spec.cron", cron);
  assert.equal(field({ cron: "0 0 * * *", timezone: "Mars/Base" }), "spec.timezone");
  for (const every_s of [59, 0, -1, 60.5, NaN, 1e12]) {
    assert.equal(field({ every_s }), "spec.every_s");
  }
  for (const at of ["2025-01-01T00:00:00Z", "tomorrow", "2030-01-01", "2030-01-01T00:00"]) {
    assert.equal(field({ at }), "spec.at", at);
  }
  for (
    const spec of [
      { cron: "* * * * *" },
      { cron: "15 30 7 * * *", timezone: "Asia/Kathmandu" },
      { cron: "0 0 29 2 *" },
      { every_s: 60 },
      { at: "2030-01-01T00:00:00+02:00" },
    ]
  ) assert.equal(field(spec), undefined);
});
