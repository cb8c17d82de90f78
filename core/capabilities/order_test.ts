import assert from "node:assert/strict";
import type { Plugin } from "../plugins/plugins.ts";
import { rank } from "./order.ts";

const plugin = (id: string, state: Plugin["state"] = "enabled") =>
  ({ id, state, enabled: state === "enabled" }) as Plugin;

const ranked = (list: readonly Plugin[], order: Record<string, string[]>, name = "test.a") =>
  rank(name, list, order).map(({ plugin, out }) => out === undefined ? plugin.id : `-${plugin.id}`);

const [A, B, C, EXTRACTS] = ["a", "b", "c", "extractive"].map((name) =>
  plugin(`generator.${name}`)
);

Deno.test("rank() keeps the priorities where the operator says nothing", () => {
  assert.deepEqual(ranked([B!, A!], {}), ["generator.b", "generator.a"]);
  assert.deepEqual(ranked([B!, A!], { "test.b": ["generator.a"] }), ["generator.b", "generator.a"]);
  assert.deepEqual(ranked([B!], {}, "constructor"), ["generator.b"]);
});

Deno.test("rank() takes the operator's list as all that may serve, and * for the others", () => {
  const all = [A!, B!, C!];
  assert.deepEqual(ranked(all, { "test.a": ["generator.c", "generator.x", "generator.a"] }), [
    "generator.c",
    "generator.a",
    "-generator.b",
  ]);
  assert.deepEqual(ranked(all, { "test.a": ["generator.c", "*", "generator.a", "*"] }), [
    "generator.c",
    "generator.b",
    "generator.a",
  ]);
  assert.deepEqual(ranked(all, { "test.a": [] }), ["-generator.a", "-generator.b", "-generator.c"]);
});

Deno.test("rank() leaves extracts to the last for texts, unless the operator says otherwise", () => {
  const all = [EXTRACTS!, A!];
  const name = "text.generate";
  assert.deepEqual(ranked(all, {}, name), ["generator.a", "generator.extractive"]);
  assert.deepEqual(ranked(all, { [name]: ["*"] }, name), ["generator.extractive", "generator.a"]);
});

Deno.test("rank() says why one does not serve", () => {
  const list = [plugin("generator.q", "quarantined"), plugin("generator.d", "disabled")];
  assert.deepEqual(rank("test.a", list, {}).map(({ out }) => out), [
    "it was set aside after crashes",
    "it is disabled",
  ]);
});
