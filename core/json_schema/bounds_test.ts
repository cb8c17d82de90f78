import assert from "node:assert/strict";
import { boundProblem } from "./bounds.ts";

const nested = (levels: number): unknown =>
  JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);

Deno.test("boundProblem() takes what is within the bounds", () => {
  const bounds = { maxDepth: 3, maxChars: 60 };
  for (const value of [null, 1, "x", {}, [[["y"]]], { a: { b: [1] } }, "z".repeat(58)]) {
    assert.equal(boundProblem(value, bounds), undefined, JSON.stringify(value));
  }
});

Deno.test("boundProblem() refuses what is too deep or too long, and reads no more of it", () => {
  const bounds = { maxDepth: 3, maxChars: 60 };
  assert.match(boundProblem(nested(4), bounds)!, /more than 3 levels deep/);
  assert.match(boundProblem({ a: nested(400_000) }, bounds)!, /more than 3 levels deep/);
  for (
    const value of ["z".repeat(59), { ["k".repeat(60)]: 1 }, Array(60).fill(0), [
      1e10,
      "z".repeat(60),
    ]]
  ) {
    assert.match(boundProblem(value, bounds)!, /longer than 60 characters/);
  }
});
