import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { MAX_DEPTH, MAX_NODES, MAX_PARTS, MAX_TEXTS, pack, PlainError, unpack } from "./plain.ts";

const through = (value: unknown) => {
  const { header, parts } = pack(value);
  return unpack(header, parts);
};

Deno.test("unpack() gives back what pack() was given", () => {
  const values: unknown[] = [
    null,
    true,
    0,
    -1.5,
    "text \u0000 \u2028 😀",
    [],
    {},
    [[1, [2]], { a: { b: [null] } }],
    { bytes: new Uint8Array([1, 2, 3]), list: [new Uint8Array(0), "x"] },
    { 2: new Uint8Array([2]), 1: new Uint8Array([1]), b: new Uint8Array([3]) },
    { $part: 0 },
    { $$part: 1, $part: new Uint8Array([9]), other: 1 },
    { x: { $part: 1 }, y: new Uint8Array([1]), $part: { $$part: new Uint8Array([2]) } },
    "long \ufeff é 😀".repeat(9000),
    { $text: 0, $$text: "x", a: "y".repeat(40_000), $part: "z".repeat(40_000) },
    `half a pair \ud800 ${"x".repeat(40_000)}`,
    Array(300).fill("t".repeat(33_000)),
    { constructor: { prototype: 1 }, toString: "x", hasOwnProperty: false },
  ];
  for (const value of values) deepStrictEqual(through(value), value);
});

Deno.test("pack() leaves undefined fields out and makes undefined items null", () => {
  deepStrictEqual(through({ a: undefined, b: [undefined, 1] }), { b: [null, 1] });
  strictEqual(through(undefined), null);
});

Deno.test("pack() throws with the path when a value is not plain data", () => {
  const cases: [unknown, RegExp][] = [
    [{ a: [0, { b: () => 1 }] }, /"a\.1\.b" is a function/],
    [Symbol("x"), /"value" is a symbol/],
    [{ n: 1n }, /"n" is a bigint/],
    [{ n: NaN }, /"n" is NaN/],
    [{ when: new Date(0) }, /"when" is a Date/],
    [new Map(), /"value" is a Map/],
    [new Uint16Array(1), /is a Uint16Array/],
    [Object.create(Object.create(null)), /strange object/],
  ];
  for (const [value, message] of cases) throws(() => pack(value), message);
});

Deno.test("pack() throws when a value holds itself", () => {
  const loop: unknown[] = [];
  loop.push(loop);
  throws(() => pack(loop), /levels deep/);
});

Deno.test("pack() puts a long text beside the header, and only that", () => {
  const { header, parts } = pack(["x".repeat(100_000), "short"]);
  strictEqual(header, `[{"$text":0},"short"]`);
  strictEqual(parts[0]!.length, 100_000);
});

Deno.test("pack() counts texts and bytes apart", () => {
  const { parts } = pack([
    Array(MAX_TEXTS + 1).fill("x".repeat(40_000)),
    Array(MAX_PARTS).fill(new Uint8Array(1)),
  ]);
  strictEqual(parts.length, MAX_TEXTS + MAX_PARTS);
});

Deno.test("pack() throws when there are too many parts", () => {
  const part = new Uint8Array(1);
  throws(() => pack(Array(MAX_PARTS + 1).fill(part)), PlainError);
});

Deno.test("pack() takes objects without a prototype and arrays from subclasses of bytes", () => {
  const bare = Object.assign(Object.create(null), { a: 1 });
  deepStrictEqual(through(bare), { a: 1 });
});

Deno.test("pack() and unpack() drop keys named __proto__ and leave prototypes alone", () => {
  const own = JSON.parse(`{"__proto__": {"polluted": 1}, "a": 1}`);
  deepStrictEqual(through(own), { a: 1 });
  const got = unpack(`{"__proto__":{"polluted":1},"b":{"\\u005f_proto__":{"polluted":1}}}`, []);
  deepStrictEqual(got, { b: {} });
  strictEqual(Object.getPrototypeOf(got), Object.prototype);
  strictEqual(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("unpack() throws when the header is not what pack() makes", () => {
  const part = new Uint8Array([1]);
  const cases: [string, Uint8Array[]][] = [
    ["", []],
    ["{", []],
    [`{"$part":0}`, []],
    [`{"$part":-1}`, [part]],
    [`{"$part":"0"}`, [part]],
    [`[{"$part":0},{"$part":0}]`, [part]],
    [`[{"$part":1},{"$part":0}]`, [part, part]],
    [`1`, [part]],
    [`{"$text":0}`, []],
    [`[{"$part":0},{"$text":0}]`, [part]],
    ["[".repeat(MAX_DEPTH + 1) + "]".repeat(MAX_DEPTH + 1), []],
    [`{"a":`.repeat(MAX_DEPTH + 1) + "1" + "}".repeat(MAX_DEPTH + 1), []],
  ];
  for (const [header, parts] of cases) throws(() => unpack(header, parts), PlainError, header);
});

Deno.test("unpack() throws before parsing when a header holds too many values", () => {
  throws(() => unpack(`[${"0,".repeat(MAX_NODES + 1)}0]`, []), /values/);
});

Deno.test("unpack() does not count what stands in strings", () => {
  const text = `,[{\\"`.repeat(MAX_NODES);
  ok(typeof unpack(`["${text}"]`, []) === "object");
  throws(() => unpack(`["${"x".repeat(MAX_NODES)}`, []), PlainError);
});
