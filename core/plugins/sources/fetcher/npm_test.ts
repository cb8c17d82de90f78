import assert from "node:assert/strict";
import type { PluginError } from "@carrel/sdk";
import { findVersion } from "./npm.ts";

const SHA = `sha512-${"A".repeat(86)}==`;
const dist = (version: string) => ({
  dist: { tarball: `https://r.example/x-${version}.tgz`, integrity: `sha1-zzz= ${SHA}` },
});
const packument = {
  "dist-tags": { latest: "1.4.0", next: "2.0.0-rc.1" },
  versions: {
    "1.0.0": dist("1.0.0"),
    "1.4.0": dist("1.4.0"),
    "1.5.0": dist("1.5.0"),
    "1.6.0": { ...dist("1.6.0"), deprecated: "broken" },
    "2.0.0-rc.1": dist("2.0.0-rc.1"),
    "3.0.0": { dist: { tarball: "https://r.example/x.tgz", shasum: "00" } },
    "4.0.0": { dist: { integrity: SHA } },
  },
};
const find = (wanted: string, value: unknown = packument) =>
  findVersion(new TextEncoder().encode(JSON.stringify(value)), "x", wanted);

Deno.test("findVersion() resolves versions, tags and ranges as npm does", () => {
  const expected: Record<string, string> = {
    "": "1.4.0",
    "latest": "1.4.0",
    "next": "2.0.0-rc.1",
    "1.0.0": "1.0.0",
    "^1.0.0": "1.4.0",
    "1.x": "1.4.0",
    "~1.5.0": "1.5.0",
    ">=1.5.0 <2": "1.5.0",
    "1.6.x": "1.6.0",
    "1.0.0 || 1.5.0": "1.5.0",
  };
  for (const [wanted, version] of Object.entries(expected)) {
    assert.equal(find(wanted).version, version, wanted);
  }
  assert.deepEqual(find("1.0.0"), {
    version: "1.0.0",
    tarball: "https://r.example/x-1.0.0.tgz",
    sha512: `${"A".repeat(86)}==`,
  });
});

Deno.test("findVersion() refuses what is not there, what cannot be checked, and what is no answer", () => {
  const bad: [() => unknown, RegExp][] = [
    [() => find("9.9.9"), /no such version/],
    [() => find("constructor"), /no such version/],
    [() => find("__proto__"), /no such version/],
    [() => find("", {}), /no such version/],
    [() => find("", null), /no such version/],
    [() => find("", { "dist-tags": { latest: "7.0.0" }, versions: {} }), /no such version/],
    [() => find("3.0.0"), /no SHA-512 of version 3\.0\.0/],
    [() => find("4.0.0"), /where the archive of version 4\.0\.0 is/],
    [() => findVersion(new TextEncoder().encode("<html>"), "x", ""), /not JSON/],
  ];
  for (const [work, words] of bad) {
    assert.throws(work, (error) => {
      assert.equal((error as PluginError).code, "unreadable");
      assert.match((error as Error).message, words);
      return true;
    });
  }
});
