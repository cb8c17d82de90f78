import assert from "node:assert/strict";
import { readYamlFile } from "../plugins/yaml.ts";
import { createReader } from "./parse_reader.ts";

/** A reader of a text, and how often it asked where something stands. */
function counted(source: string) {
  const file = readYamlFile(source, { file: "f", code: "invalid_workflow", what: "workflow" });
  let asked = 0;
  const reader = createReader(source, {
    ...file,
    offsetOf: (path) => (asked++, file.offsetOf(path)),
    rangeOf: (path) => (asked++, file.rangeOf(path)),
  });
  return { reader, value: file.value, asked: () => asked };
}

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n");

Deno.test("createReader() reads no further than to fifty problems", () => {
  for (const line of [(i: number) => `k${i}: 1`, (i: number) => `k${i}: "\${ 1 + }"`]) {
    const { reader, value, asked } = counted(lines(900, line));
    const read = reader.unlessStopped(() => {
      reader.template(value, [], []);
      reader.map(value, [], {}, "a thing");
      return true;
    });
    assert.equal(read, undefined);
    assert.equal(reader.problems().length, 50);
    assert.ok(asked() <= 50, `${asked()}`);
  }
});

Deno.test("createReader() stops where the same is said again and again", () => {
  const { reader, asked } = counted("a: 1");
  let times = 0;
  reader.unlessStopped(() => {
    for (; times < 1_000; times++) reader.say(["a"], "wrong");
  });
  assert.ok(times < 100, `${times}`);
  assert.ok(asked() <= 100, `${asked()}`);
  assert.equal(reader.problems().length, 1);
});

Deno.test("createReader() says a long message in short, and hands on what is no problem", () => {
  const { reader } = counted("a: 1");
  reader.say(["a"], "x".repeat(5_000));
  assert.equal(reader.problems()[0]!.message.length, 1_000);
  assert.throws(() =>
    reader.unlessStopped(() => {
      throw new TypeError("ours");
    }), /ours/);
});
