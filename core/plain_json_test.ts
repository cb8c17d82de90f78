import assert from "node:assert/strict";
import { cleanText, jsonBytes, plainJson, PlainJsonError } from "./plain_json.ts";

const refused = (value: unknown, path: string, maxBytes = 1000) =>
  assert.throws(() => plainJson(value, { maxBytes }), (error: unknown) => {
    assert.ok(error instanceof PlainJsonError);
    assert.equal(error.path.join("."), path);
    return true;
  });

Deno.test("plainJson() copies plain data, without empty fields and with texts that can be kept", () => {
  const value = { a: [1, null, "x\0y", { b: "\ud800z" }], none: undefined, "k\0": true };
  assert.deepEqual(plainJson(value, { maxBytes: 1000 }), {
    a: [1, null, "x\ufffdy", { b: "\ufffdz" }],
    "k\ufffd": true,
  });
});

Deno.test("plainJson() keeps a field of a name that objects have by themselves", () => {
  const plain = plainJson(JSON.parse('{"__proto__": {"a": 1}}'), { maxBytes: 100 });
  assert.equal(JSON.stringify(plain), '{"__proto__":{"a":1}}');
  assert.equal(({} as { a?: number }).a, undefined);
});

Deno.test("plainJson() refuses what JSON would keep as something else, and says where it is", () => {
  refused({ a: { b: new Uint8Array(3) } }, "a.b");
  refused({ a: [1, NaN] }, "a.1");
  refused({ a: Infinity }, "a");
  for (const odd of [1n, () => 1, new Date(), new Map(), Symbol("x")]) refused({ odd }, "odd");
});

Deno.test("plainJson() refuses what is too deep, a cycle too", () => {
  let deep: unknown = 1;
  for (let i = 0; i < 17; i++) deep = [deep];
  refused(deep, Array(16).fill(0).join("."));
  assert.ok(plainJson((deep as unknown[])[0], { maxBytes: 1000 }));
  const cycle: Record<string, unknown> = {};
  cycle["a"] = cycle;
  refused(cycle, Array(16).fill("a").join("."));
});

Deno.test("plainJson() refuses what is too large in bytes, not in characters", () => {
  assert.ok(plainJson("x".repeat(98), { maxBytes: 100 }));
  refused("x".repeat(99), "", 100);
  refused("ü".repeat(98), "", 100);
  refused({ a: "x".repeat(99) }, "a", 100);
  refused(Array(60).fill(""), "49", 100);
});

Deno.test("cleanText() keeps the length, and jsonBytes() counts UTF-8", () => {
  assert.equal(cleanText("a\0\ud800😀"), "a\ufffd\ufffd😀");
  assert.equal(jsonBytes("ü"), 4);
});
