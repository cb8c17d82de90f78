import assert from "node:assert/strict";
import { checkClaims } from "./export_pipeline.ts";

const sources = [
  { id: "content_1", chunks: ["a", "b", "c"].map((id) => ({ id, start: 0, end: 1 })) },
  { id: "content_2", chunks: [] },
];
const claim = (source: string, chunks: string[], id = "p") => ({
  part: { id, kind: "chapter" as const },
  source,
  chunks,
});

Deno.test("checkClaims() takes claims on the sources and their passages alone", () => {
  checkClaims([claim("content_1", ["a", "c"]), claim("content_2", [])], sources, "export.x");
  for (
    const odd of [claim("content_3", []), claim("content_1", ["z"]), claim("content_2", ["a"])]
  ) {
    assert.throws(() => checkClaims([odd], sources, "export.x"), { code: "invalid_output" });
  }
});

Deno.test("checkClaims() bounds the passages that are named, not those of whole sources", () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => ({ id: `c${i}`, start: 0, end: 1 }));
  const whole = ids.map(({ id }) => id);
  const claims = (chunks: string[]) =>
    Array.from({ length: 50 }, (_, i) => claim("content_1", chunks, `p${i}`));
  const source = [{ id: "content_1", chunks: ids }];
  checkClaims(claims(whole), source, "export.x");
  assert.throws(() => checkClaims(claims(whole.slice(1)), source, "export.x"), {
    code: "invalid_output",
    message: /passages/,
  });
});
