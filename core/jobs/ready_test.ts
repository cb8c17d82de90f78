import assert from "node:assert/strict";
import { createFloors } from "./ready.ts";

const none = { kind: [], plugin: [], site: [] };

Deno.test("createFloors() remembers by the set of saturated classes, whatever its order", () => {
  const floors = createFloors();
  assert.equal(floors.get(none, false), -Infinity);
  floors.raise({ ...none, site: ["a", "b"] }, false, 7);
  assert.equal(floors.get({ ...none, site: ["b", "a"] }, false), 7);
  assert.equal(floors.get(none, false), -Infinity);
  assert.equal(floors.get({ ...none, site: ["a", "b"] }, true), -Infinity);
});

Deno.test("lower() lets a new job be seen, an urgent one by urgent claims too", () => {
  const floors = createFloors();
  floors.raise(none, false, Infinity);
  floors.raise(none, true, Infinity);
  floors.lower({ rank: 5, priority: 7 });
  assert.deepEqual([floors.get(none, false), floors.get(none, true)], [5, Infinity]);
  floors.lower({ rank: 9, priority: 8 });
  assert.deepEqual([floors.get(none, false), floors.get(none, true)], [5, 9]);
});

Deno.test("createFloors() forgets rather than grow", () => {
  const floors = createFloors();
  for (let index = 0; index < 1000; index++) {
    floors.raise({ ...none, site: [`${index}`] }, false, index);
  }
  const known = Array.from(
    { length: 1000 },
    (_, index) => floors.get({ ...none, site: [`${index}`] }, false),
  ).filter(Number.isFinite);
  assert.ok(known.length <= 32);
  assert.equal(known.at(-1), 999);
});
