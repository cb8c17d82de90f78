import assert from "node:assert/strict";
import {
  bytes,
  count,
  createStyle,
  duration,
  pairs,
  passage,
  table,
  wantsColours,
  when,
} from "./format.ts";
import { widthOf } from "./width.ts";

const plain = createStyle(false);

/** The text as a terminal shows it, without its colours. */
function bare(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[\d;]*m/g, "");
}

Deno.test("bytes() and duration() read well at the edges of their units", () => {
  assert.deepEqual(
    [0, 999, 1023, 1024, 10_188, 10_190, 2 ** 20 - 513, 2 ** 20 - 512, 512 * 2 ** 20, 5 * 2 ** 50]
      .map(bytes),
    [
      "0 B",
      "999 B",
      "1023 B",
      "1.0 KiB",
      "9.9 KiB",
      "10 KiB",
      "1023 KiB",
      "1.0 MiB",
      "512 MiB",
      "5120 TiB",
    ],
  );
  assert.deepEqual([-5, 0.2, 12.4, 999, 1400, 59_900, 59_990, 125_000, 12_000_000].map(duration), [
    "0.0 ms",
    "0.2 ms",
    "12 ms",
    "999 ms",
    "1.4 s",
    "59.9 s",
    "1 min 00 s",
    "2 min 05 s",
    "3 h 20 min",
  ]);
});

Deno.test("when() shortens a time and cleans what is none", () => {
  assert.equal(when("2026-01-31T09:05:12.345Z"), "2026-01-31 09:05");
  assert.equal(when(null), "–");
  assert.equal(when("\x1bsoon"), "\ufffdsoon");
  assert.equal(count(1, "page") + ", " + count(2, "page"), "1 page, 2 pages");
});

Deno.test("wantsColours() says no when NO_COLOR is set, the terminal is dumb or there is none", () => {
  const env = (vars: Record<string, string>) => (name: string) => vars[name];
  assert.equal(wantsColours(true, env({ TERM: "xterm" })), true);
  assert.equal(wantsColours(true, env({ NO_COLOR: "1" })), false);
  assert.equal(wantsColours(true, env({ TERM: "dumb" })), false);
  assert.equal(wantsColours(false, env({})), false);
});

Deno.test("table() aligns wide characters, cuts the flexible column and paints cells", () => {
  const lines = table(
    [{ title: "id" }, { title: "n", align: "right" }, {
      title: "title",
      flexible: true,
      paint: (text, row) => row === 1 ? `<${text}>` : text,
    }],
    [["a", "1", "書見台 and a long title that does not fit"], ["bcd", "20", "x\x1b[2J"]],
    { width: 30, style: plain },
  );
  assert.deepEqual(lines, [
    "id    n  title",
    "a     1  書見台 and a long ti…",
    "bcd  20  <x\ufffd[2J>",
  ]);
  assert.ok(lines.every((line) => widthOf(line) <= 32));
});

Deno.test("table() leaves rigid columns alone when the terminal is too narrow", () => {
  assert.deepEqual(
    table([{ title: "id" }], [["a-very-long-identifier"]], { width: 5, style: plain })[1],
    "a-very-long-identifier",
  );
});

Deno.test("pairs() aligns values and wraps long ones below themselves", () => {
  assert.deepEqual(
    pairs([["id", "x"], ["summary", "one two three four five six"], ["none", ""]], {
      width: 30,
      style: plain,
      indent: 1,
    }),
    [" id       x", " summary  one two three four", "          five six", " none"],
  );
});

Deno.test("passage() marks its highlights when they are wrapped, with and without colours", () => {
  const text = "the carrel was a desk\nin the cloister of the carrel";
  const marks: [number, number][] = [[4, 10], [45, 51]];
  assert.deepEqual(passage(text, marks, { width: 30, style: plain }), [
    "the [carrel] was a desk in the",
    "cloister of the [carrel]",
  ]);
  const coloured = passage(text, marks, { width: 30, style: createStyle(true) });
  assert.deepEqual(coloured.map(bare), [
    "the carrel was a desk in the",
    "cloister of the carrel",
  ]);
  assert.equal(coloured.join("").split("\x1b[1;33mcarrel\x1b[22;39m").length, 3);
});

Deno.test("passage() shows the surroundings of the first highlight when the passage is long", () => {
  const text = `${"word ".repeat(200)}needle ${"more ".repeat(200)}`;
  const lines = passage(text, [[1000, 1006]], { width: 80, style: plain });
  const shown = lines.join(" ");
  assert.match(shown, /^… .*\[needle\].* …$/);
  assert.ok(shown.length < 360);
  assert.equal(passage(text, [], { width: 80, style: plain })[0]?.slice(0, 9), "word word");
});

Deno.test("createStyle() paints nothing when colours are off, and never an empty text", () => {
  assert.equal(plain.bold(plain.red("x")), "x");
  assert.equal(createStyle(true).red(""), "");
  assert.equal(createStyle(true).dim("x"), "\x1b[2mx\x1b[22m");
});
