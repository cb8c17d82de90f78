import assert from "node:assert/strict";
import { parseSettings } from "../settings.ts";
import { classRates } from "./class_rates.ts";

Deno.test("classRates() takes the operator's word before the manifest's, and a host for its site", () => {
  const { rates } = parseSettings(
    `jobs:
  rates:
    plugin: {import.arxiv: {per_minute: 20}}
    site: {export.arxiv.org: {per_minute: 10, burst: 3}, default: {per_minute: 120}}
`,
    "carrel.yaml",
  ).jobs;
  const rate = classRates(
    rates,
    (plugin) => plugin === "import.none" ? undefined : { per_minute: 1 },
  );
  assert.deepEqual(rate("plugin:import.arxiv"), { per_minute: 20 });
  assert.deepEqual(rate("plugin:import.other"), { per_minute: 1 });
  assert.equal(rate("plugin:import.none"), undefined);
  assert.deepEqual(rate("site:arxiv.org"), { per_minute: 10, burst: 3 });
  assert.deepEqual(rate("site:example.org"), { per_minute: 120 });
  assert.equal(rate("kind:import"), undefined);
});

Deno.test("classRates() limits no site that nobody named", () => {
  const { rates } = parseSettings("", "carrel.yaml").jobs;
  assert.equal(classRates(rates, () => undefined)("site:example.org"), undefined);
});

Deno.test("parseSettings() refuses a rate that makes no sense", () => {
  for (const rate of ["{}", "{per_minute: 0}", "{per_minute: 5, burst: 0}", "{per_second: 1}"]) {
    assert.throws(
      () => parseSettings(`jobs: {rates: {site: {a.org: ${rate}}}}`, "carrel.yaml"),
      /jobs\.rates\.site\.a\.org/,
    );
  }
});
