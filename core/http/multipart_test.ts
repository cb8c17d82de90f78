import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { boundaryOf, readForm } from "./multipart.ts";

/** A stream of the bytes in pieces of the given size. */
function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += size));
    },
  });
}

async function readAll(body: ReadableStream<Uint8Array>, boundary: string) {
  const parts: { name: string; filename?: string; mediaType?: string; bytes: number[] }[] = [];
  for await (const { name, filename, mediaType, body: bytes } of readForm(body, boundary)) {
    const read: number[] = [];
    for await (const piece of bytes) read.push(...piece);
    parts.push({
      name,
      ...(filename === undefined ? {} : { filename }),
      ...(mediaType === undefined ? {} : { mediaType }),
      bytes: read,
    });
  }
  return parts;
}

const encode = (text: string) => new TextEncoder().encode(text);
const isInvalid = (error: unknown) =>
  error instanceof CarrelError && error.code === "invalid_upload";

Deno.test("readForm() reads what FormData writes, however the bytes are cut", async () => {
  // Line ends, dashes and whole boundaries of another form: what a search for the boundary may trip over.
  const nasty = encode("\r\n--\r\n------x\r\n\r\n--boundary--\r\n\0\xff");
  const form = new FormData();
  form.append("plugin", "import.text");
  form.append("file", new File([nasty], 'a "b"\r\n.bin', { type: "application/x-thing" }));
  form.append("empty", "");
  form.append("file", new File([], "naïve ✓.txt", { type: "text/plain" }));
  form.append("feld", "Größe\r\n");
  const response = new Response(form);
  const boundary = boundaryOf(response.headers.get("content-type")!);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const expected = [
    { name: "plugin", bytes: [...encode("import.text")] },
    {
      name: "file",
      filename: 'a "b"\r\n.bin',
      mediaType: "application/x-thing",
      bytes: [...nasty],
    },
    { name: "empty", bytes: [] },
    { name: "file", filename: "naïve ✓.txt", mediaType: "text/plain", bytes: [] },
    { name: "feld", bytes: [...encode("Größe\r\n")] },
  ];
  for (const size of [1, 2, 3, 5, 7, 16, 61, bytes.length]) {
    assert.deepEqual(await readAll(inPieces(bytes, size), boundary), expected, `pieces of ${size}`);
  }
});

Deno.test("readForm() skips what stands before the first boundary and what the reader leaves", async () => {
  const text = [
    "a preamble",
    "--b \t",
    'Content-Disposition: form-data; name=first; filename="x\\"y.txt"',
    "",
    "one",
    "--b",
    'content-disposition: FORM-DATA; NAME="second"',
    "",
    "two",
    "--b--",
    "an epilogue",
  ].join("\r\n");
  const names: [string, string | undefined][] = [];
  for await (const part of readForm(inPieces(encode(text), 4), "b")) {
    names.push([part.name, part.filename]);
  }
  assert.deepEqual(names, [["first", 'x"y.txt'], ["second", undefined]]);
});

Deno.test("readForm() refuses what is cut off at any place", async () => {
  const text = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nvalue\r\n--b--';
  for (let length = 0; length < text.length; length++) {
    const cut = inPieces(encode(text.slice(0, length)), 8);
    await assert.rejects(readAll(cut, "b"), isInvalid, `after ${length}`);
  }
  assert.equal((await readAll(inPieces(encode(text), 8), "b")).length, 1);
});

Deno.test("readForm() refuses parts without a name, endless headers and too many parts", async () => {
  const part = (header: string) => `--b\r\n${header}\r\n\r\nx\r\n`;
  const cases = [
    part("Content-Type: text/plain") + "--b--",
    part('Content-Disposition: attachment; name="a"') + "--b--",
    part(`X: ${"x".repeat(20_000)}`) + "--b--",
    `--b\r\nX: ${"x".repeat(40_000)}`,
    "--bad\r\n\r\n\r\nx\r\n--b--",
    part('Content-Disposition: form-data; name="a"').repeat(1001) + "--b--",
  ];
  for (const text of cases) {
    await assert.rejects(readAll(inPieces(encode(text), 1000), "b"), isInvalid, text.slice(0, 60));
  }
});

Deno.test("readForm() cancels the body when its reader stops early", async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(
        encode('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b\r\n'),
      );
    },
    cancel() {
      cancelled = true;
    },
  });
  for await (const _part of readForm(body, "b")) break;
  assert.ok(cancelled);
});

Deno.test("boundaryOf() reads plain and quoted boundaries and refuses none", () => {
  assert.equal(boundaryOf("multipart/form-data; boundary=abc"), "abc");
  assert.equal(boundaryOf('multipart/form-data; charset=utf-8; Boundary="a b"'), "a b");
  assert.throws(() => boundaryOf("multipart/form-data"), isInvalid);
});
