import assert from "node:assert/strict";
import { isWithin, subtreesOf } from "./tree.ts";

Deno.test("subtreesOf() finds what lies at and below a path, also below what is not named", () => {
  const paths = ["a", "a[0]", "a[0].x", "a[10].x", "ab", "ab.left.y", "a[0].x[1].z"];
  const within = subtreesOf(paths);
  for (const root of ["a", "a[0]", "a[0].x", "a[1]", "ab", "ab.left"]) {
    const found = [...within(root)].filter((path) => paths.includes(path)).sort();
    assert.deepEqual(found, paths.filter((path) => isWithin(path, root)).sort(), root);
  }
});
