import assert from "node:assert/strict";
import { PlainError } from "../../sandbox/plain.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";

const roundTrip = (value: unknown) => decodeCheckpoint(encodeCheckpoint(value));

Deno.test("decodeCheckpoint() brings back plain data with bytes at any depth", () => {
  const value = {
    title: "Größe 📚",
    bytes: new Uint8Array([0, 255, 1]),
    nested: [{ empty: new Uint8Array() }, [new Uint8Array([7])], null, true, 1.5],
  };
  assert.deepEqual(roundTrip(value), value);
});

Deno.test("decodeCheckpoint() does not take a plain object for bytes", () => {
  const value = { $part: 0, $$part: 1, a: { $part: "x" } };
  assert.deepEqual(roundTrip(value), value);
});

Deno.test("decodeCheckpoint() brings back null, for undefined too, and bare bytes", () => {
  assert.equal(roundTrip(undefined), null);
  assert.equal(roundTrip(null), null);
  assert.deepEqual(roundTrip(new Uint8Array([1, 2])), new Uint8Array([1, 2]));
});

Deno.test("encodeCheckpoint() refuses what would come back as something else", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  for (
    const value of [new Date(), new Map(), () => 1, 1n, NaN, -Infinity, {
      deep: new Float32Array(2),
    }, cycle]
  ) {
    assert.throws(() => encodeCheckpoint({ value }), PlainError);
  }
});

Deno.test("decodeCheckpoint() throws when the bytes are none or cut off", () => {
  assert.throws(() => decodeCheckpoint(new Uint8Array(3)), TypeError);
  assert.throws(() => decodeCheckpoint(new TextEncoder().encode("plain text")), TypeError);
  const whole = encodeCheckpoint({ bytes: new Uint8Array(100) });
  for (const length of [11, 13, 20, whole.length - 1]) {
    assert.throws(() => decodeCheckpoint(whole.subarray(0, length)), TypeError);
  }
});
