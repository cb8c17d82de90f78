import assert from "node:assert/strict";
import { noneMatch, parseRange } from "./range.ts";

Deno.test("parseRange() reads first-last, first- and -suffix, within the body", () => {
  assert.deepEqual(parseRange("bytes=0-0", 10), { start: 0, end: 1 });
  assert.deepEqual(parseRange("bytes=2-5", 10), { start: 2, end: 6 });
  assert.deepEqual(parseRange("bytes=2-", 10), { start: 2, end: 10 });
  assert.deepEqual(parseRange("bytes=8-99", 10), { start: 8, end: 10 });
  assert.deepEqual(parseRange("bytes=-3", 10), { start: 7, end: 10 });
  assert.deepEqual(parseRange("Bytes= -99 ", 10), { start: 0, end: 10 });
});

Deno.test("parseRange() tells what cannot be satisfied", () => {
  for (const header of ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999-", "bytes=-0"]) {
    assert.equal(parseRange(header, 10), "unsatisfiable", header);
  }
  assert.equal(parseRange("bytes=0-", 0), "unsatisfiable");
  assert.equal(parseRange("bytes=-5", 0), "unsatisfiable");
});

Deno.test("parseRange() ignores several ranges, other units and what cannot be read", () => {
  const headers = [
    undefined,
    "",
    "bytes=",
    "bytes=-",
    "bytes=5-2",
    "bytes=0-1,3-4",
    "lines=0-1",
    "bytes=a-b",
    "bytes=-1-2",
  ];
  for (const header of headers) assert.equal(parseRange(header, 10), undefined, header);
});

Deno.test("noneMatch() finds a tag in a list, weak or strong, and takes a star", () => {
  assert.ok(noneMatch('"a"', '"a"'));
  assert.ok(noneMatch('"b", W/"a"', '"a"'));
  assert.ok(noneMatch(" * ", '"a"'));
  assert.ok(!noneMatch('"b"', '"a"'));
  assert.ok(!noneMatch(undefined, '"a"'));
});
