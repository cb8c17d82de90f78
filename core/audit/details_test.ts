import assert from "node:assert/strict";
import { detailsJson, MAX_DETAILS, plainText } from "./details.ts";

const json = (details: Record<string, unknown>, secret: string[] = []) =>
  detailsJson({ event: "plugin.installed", details, secret }, (text) => text);

Deno.test("detailsJson() keeps plain JSON as it is, keys sorted", () => {
  assert.equal(
    json({ b: [1, true, null, "x"], a: { d: 1.5, c: new Date(0) } }),
    `{"a":{"c":"1970-01-01T00:00:00.000Z","d":1.5},"b":[1,true,null,"x"]}`,
  );
  assert.equal(json({ a: NaN, b: undefined }), `{"a":"NaN","b":null}`);
});

Deno.test("detailsJson() drops the values under secret keys, at any depth", () => {
  const text = json({ key: "s1", a: { key: ["s2"], b: [{ key: { c: "s3" } }] } }, ["key"]);
  assert.equal(text, `{"a":{"b":[{"key":"[secret]"}],"key":"[secret]"},"key":"[secret]"}`);
});

Deno.test("detailsJson() never grows beyond its bound, and says when it cut", () => {
  const many = Object.fromEntries(
    Array.from({ length: 1000 }, (_, index) => [`key${index}`, "x".repeat(1000)]),
  );
  for (
    const details of [
      many,
      { first: "kept", text: "x".repeat(1e6) },
      { first: "kept", list: Array(1e5).fill("é".repeat(500)) },
      { first: "kept", ["k".repeat(1e5)]: 1 },
      { first: "kept", a: many, b: many, c: [many, many] },
    ]
  ) {
    const text = json(details);
    assert.ok(text.length <= MAX_DETAILS, `${text.length}`);
    JSON.parse(text);
    assert.doesNotMatch(text, /[^\x20-\x7e]/);
    if ("first" in details) assert.equal(JSON.parse(text).first, "kept");
  }
  assert.equal(JSON.parse(json(many)).truncated, true);
});

Deno.test("detailsJson() keeps of changed settings their names only", () => {
  const event = "config.changed" as const;
  const text = (details: Record<string, unknown>) =>
    detailsJson({ event, details }, (value) => value);
  assert.equal(text({ fields: ["a"], a: "secret" }), `{"fields":["a"]}`);
  assert.equal(text({ fields: { a: "secret" } }), `{"fields":[]}`);
});

Deno.test("plainText() leaves nothing that a store or a terminal trips over", () => {
  assert.equal(plainText("a\0b\x1b[31m\n", 99), "a b [31m ");
  assert.equal(plainText("\ud800x", 99), "\ufffdx");
  assert.equal(plainText("12345", 5), "12345");
  assert.equal(plainText("123456", 5), "1234…");
});
