import assert from "node:assert/strict";
import { compareVersions, parseRange, parseVersion, satisfies } from "./version.ts";

Deno.test("parseVersion() reads semver and nothing else", () => {
  assert.deepEqual(parseVersion("1.20.3-beta.1+build.5"), {
    numbers: [1, 20, 3],
    prerelease: ["beta", "1"],
  });
  for (
    const bad of ["1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "", "1.2.3 "]
  ) {
    assert.equal(parseVersion(bad), undefined, bad);
  }
});

Deno.test("compareVersions() orders as semver.org says", () => {
  const ordered = [
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.10.0",
    "2.0.0",
  ];
  const sorted = ordered.toReversed().sort((a, b) =>
    compareVersions(parseVersion(a)!, parseVersion(b)!)
  );
  assert.deepEqual(sorted, ordered);
  assert.equal(compareVersions(parseVersion("1.0.0+a")!, parseVersion("1.0.0+b")!), 0);
});

Deno.test("satisfies() holds every comparator of a range", () => {
  assert.ok(satisfies("0.1.0", ">=0.1 <1"));
  assert.ok(satisfies("0.9.9", ">0.1.0 <=0.9.9"));
  assert.ok(satisfies("1.2.3", "1.2.3"));
  assert.ok(satisfies("1.0.0", "=1"));
  assert.ok(!satisfies("1.0.0", ">=0.1 <1"));
  assert.ok(!satisfies("0.0.9", ">=0.1 <1"));
  assert.ok(!satisfies("nonsense", ">=0.1"));
  assert.ok(!satisfies("1.0.0", "nonsense"));
  assert.equal(parseRange(">=1 || <2"), undefined);
});
