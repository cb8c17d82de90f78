// deno-lint-ignore-file no-regex-spaces no-control-regex -- columns are what is tested
import assert from "node:assert/strict";
import { createStyle } from "./format.ts";
import { barOf, createBoard } from "./progress.ts";
import { widthOf } from "./width.ts";

/** A terminal: what its screen shows after all that was written. */
function screen(written: string): string[] {
  const lines = [""];
  let row = 0;
  for (const token of written.match(/\x1b\[\??\d*[A-Za-z]|[\s\S]/g) ?? []) {
    const up = /^\x1b\[(\d+)A$/.exec(token);
    if (up) row -= Number(up[1]);
    else if (token === "\x1b[J") lines.splice(row, lines.length, "");
    else if (token === "\n") lines[++row] ??= "";
    else if (token.length === 1 && token !== "\r") lines[row] += token;
    assert.ok(row >= 0, "the cursor leaves the screen");
  }
  return lines.slice(0, -1);
}

function board(live: boolean, size = { columns: 100, rows: 24 }) {
  let written = "";
  let time = 0;
  const made = createBoard({
    sink: { write: (text) => written += text },
    style: createStyle(false),
    live,
    size: () => size,
    now: () => time,
    tickMs: 0,
  });
  return {
    ...made,
    written: () => written,
    screen: () => screen(written),
    pass: (ms: number) => time += ms,
  };
}

Deno.test("barOf() fills by eighths and is always as wide as asked", () => {
  assert.deepEqual(barOf(0, 4), { full: "", empty: "░░░░" });
  assert.deepEqual(barOf(50, 4), { full: "██", empty: "░░" });
  assert.deepEqual(barOf(53.2, 4), { full: "██▏", empty: "░" });
  assert.deepEqual(barOf(200, 4), { full: "████", empty: "" });
  for (let percent = -10; percent < 120; percent += 0.7) {
    const { full, empty } = barOf(percent, 7);
    assert.equal(widthOf(full + empty), 7);
  }
});

Deno.test("createBoard() redraws its bars in place when it is live", () => {
  const b = board(true);
  const first = b.add("desks.md");
  const second = b.add("書見台.pdf");
  first.update({ stage: "extracting", percent: 50, message: "page 2" });
  b.pass(1500);
  second.update({ stage: "downloading", percent: 10 });
  assert.equal(b.screen().length, 2);
  assert.match(
    b.screen()[0]!,
    /^  desks\.md +████████░░░░░░░░ +50% +extracting +1\.5 s  page 2$/,
  );
  first.end("completed", "On desks");
  second.end("failed", "damaged: it is cut off");
  second.end("completed");
  second.update({ stage: "late", percent: 1 });
  b.close();
  assert.match(b.screen()[0]!, /^✓ desks\.md +█{16} +100% +done +1\.5 s  On desks$/);
  assert.match(b.screen()[1]!, /^✗ 書見台\.pdf +█▋░+ +10% +failed +1\.5 s  damaged: it is cut/);
  assert.match(b.written(), /^\x1b\[\?25l[\s\S]*\x1b\[\?25h$/);
  assert.ok(b.screen().every((line) => widthOf(line) < 100));
});

Deno.test("createBoard() prints lines above the bars", () => {
  const b = board(true);
  b.line("before");
  b.add("one").update({ stage: "storing", percent: 90 });
  b.line("between");
  b.close();
  assert.equal(b.screen().length, 3);
  assert.deepEqual(b.screen().slice(0, 2), ["before", "between"]);
});

Deno.test("createBoard() lets ended bars scroll up when there are more than the screen holds", () => {
  const b = board(true, { columns: 80, rows: 8 });
  const bars = Array.from({ length: 12 }, (_, i) => b.add(`file ${i}`));
  assert.equal(b.screen().length, 5);
  assert.match(b.screen()[4]!, /… and 8 more/);
  for (const bar of bars) bar.end("completed");
  b.close();
  const shown = b.screen();
  assert.equal(shown.length, 12);
  assert.ok(shown.every((line) => line.startsWith("✓ file ")));
});

Deno.test("createBoard() keeps inside the width when the terminal is narrow", () => {
  for (const columns of [20, 40, 55, 60, 77, 120]) {
    const b = board(true, { columns, rows: 24 });
    b.add("a name that is much too long for a narrow terminal")
      .update({ stage: "extracting", percent: 33, message: "a message that is long, too" });
    assert.ok(b.screen().every((line) => widthOf(line) < Math.max(columns, 66)), String(columns));
    b.close();
  }
});

Deno.test("createBoard() prints a line for each change when it is not live", () => {
  const b = board(false);
  const bar = b.add("desks.md");
  bar.update({ stage: "waiting", percent: 0 });
  bar.update({ stage: "extracting", percent: 10 });
  bar.update({ stage: "extracting", percent: 20 });
  bar.update({ stage: "extracting", percent: 30, message: "page\x1b[31m 2" });
  b.line("a note");
  b.pass(1200);
  bar.end("failed", "damaged: it is cut off");
  b.draw();
  b.close();
  assert.deepEqual(b.written().trimEnd().split("\n"), [
    "· desks.md: extracting 10%",
    "· desks.md: extracting 30% — page\ufffd[31m 2",
    "a note",
    "✗ desks.md: failed after 1.2 s — damaged: it is cut off",
  ]);
});

Deno.test("createBoard() shows the time running when nothing else changes, until it is closed", async () => {
  let draws = 0;
  const twice = Promise.withResolvers<void>();
  const b = createBoard({
    sink: { write: () => ++draws > 3 && twice.resolve() },
    style: createStyle(true),
    live: true,
    size: () => ({ columns: 80, rows: 24 }),
    now: () => 0,
    tickMs: 1,
  });
  b.add("one").update({ stage: "extracting", percent: 1 });
  await twice.promise;
  b.close();
});

Deno.test("createBoard() tells work that goes on from work that was done or cancelled", () => {
  const outcomes = ["unchanged", "queued", "skipped", "left", "cancelled"] as const;
  const words = ["✓ a: unchanged after 0.0 ms", "· a: queued", "– a: left out", "· a: goes on"];
  for (const live of [false, true]) {
    const b = board(live);
    for (const outcome of outcomes) b.add("a").end(outcome);
    b.close();
    if (live) assert.match(b.screen()[3]!, /^· a .* goes on /);
    else {
      assert.deepEqual(b.written().trimEnd().split("\n"), [
        ...words,
        "– a: cancelled after 0.0 ms",
      ]);
    }
  }
});
