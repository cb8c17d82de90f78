import assert from "node:assert/strict";
import { createMeter, MOST_COSTS } from "./meter.ts";
import { createFakeClock } from "./testing.ts";

Deno.test("createMeter() measures stages by the clock and adds up what was spent in each", () => {
  const clock = createFakeClock();
  const earlier = { stage: "downloading", attempt: 1, wall_s: 9 } as const;
  const meter = createMeter({ attempt: 2, costs: [earlier] }, clock);
  const end = meter.begin("extracting");
  clock.advance(1_500);
  meter.spend({ cpu_s: 0.5 });
  meter.spend({ cpu_s: 0.25, usage: { plugin: "p", model: "m", input_tokens: 3, cost: 0.5 } });
  end();
  clock.advance(5_000);
  // Between two stages it counts for the last one.
  meter.spend({ usage: { plugin: "p", model: "m", output_tokens: 4, cost: 0.25 } });
  meter.begin("storing");
  clock.advance(20);
  assert.deepEqual(JSON.parse(meter.json()), [
    earlier,
    {
      stage: "extracting",
      attempt: 2,
      wall_s: 1.5,
      cpu_s: 0.75,
      usage: [{ plugin: "p", model: "m", input_tokens: 3, output_tokens: 4, cost: 0.75 }],
    },
    // It had not ended.
    { stage: "storing", attempt: 2, wall_s: 0.02 },
  ]);
});

Deno.test("createMeter() gives what a job without stages spends a stage", () => {
  const clock = createFakeClock();
  const meter = createMeter({ attempt: 1, costs: [] }, clock);
  assert.equal(meter.json(), "[]");
  clock.advance(1_000);
  meter.spend({ cpu_s: 2 });
  assert.deepEqual(JSON.parse(meter.json()), [
    { stage: "processing", attempt: 1, wall_s: 1, cpu_s: 2 },
  ]);
});

Deno.test("createMeter() drops the oldest entries and further models, and stands a clock set back", () => {
  let nowMs = 5_000;
  const clock = { now: () => nowMs, after: () => () => {} };
  const costs = Array.from({ length: MOST_COSTS }, (_, index) => (
    { stage: "downloading", attempt: index, wall_s: 0 } as const
  ));
  const meter = createMeter({ attempt: 500, costs }, clock);
  const end = meter.begin("extracting");
  for (let model = 0; model < 50; model++) {
    meter.spend({ usage: { plugin: "p", model: `${model}` } });
  }
  nowMs = 0;
  end();
  const kept = JSON.parse(meter.json());
  assert.equal(kept.length, MOST_COSTS);
  assert.equal(kept[0].attempt, 1);
  assert.deepEqual([kept.at(-1).wall_s, kept.at(-1).usage.length], [0, 20]);
});
