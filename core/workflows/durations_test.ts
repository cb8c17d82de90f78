import assert from "node:assert/strict";
import { parseDuration } from "./durations.ts";

Deno.test("parseDuration() reads seconds and texts with units", () => {
  const cases: [unknown, number | undefined][] = [
    [90, 90],
    [0.5, 0.5],
    ["90s", 90],
    ["500ms", 0.5],
    ["15m", 900],
    ["1.5h", 5400],
    ["1h30m", 5400],
    [" 7d ", 604_800],
    ["2w", 1_209_600],
    ["366d", 366 * 86_400],
  ];
  for (const [given, seconds] of cases) assert.equal(parseDuration(given), seconds, String(given));
});

Deno.test("parseDuration() takes nothing else", () => {
  const wrong = [
    0,
    -1,
    NaN,
    Infinity,
    "",
    "5",
    "5 m",
    "m",
    "1y",
    "-2h",
    "367d",
    "1e9s",
    "9".repeat(39) + "s",
    null,
    {},
    true,
  ];
  for (const given of wrong) assert.equal(parseDuration(given), undefined, String(given));
});
