import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import {
  createDecoder,
  encodeFrame,
  type Frame,
  FrameError,
  joinBlocks,
  sizeOf,
} from "./protocol.ts";

const MAX = 1 << 20;

function decode(chunks: Iterable<Uint8Array>, maxFrame = MAX): Frame[] {
  const frames: Frame[] = [];
  const decoder = createDecoder({ maxFrame });
  for (const chunk of chunks) decoder.push(chunk, (frame) => frames.push(frame));
  return frames;
}

function bytesOf(blocks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(sizeOf(blocks));
  let at = 0;
  for (const block of blocks) {
    all.set(block, at);
    at += block.length;
  }
  return all;
}

const FRAMES = [
  ["request", 1, { method: "extract", args: [{ bytes: new Uint8Array(20_000).fill(7), n: 1 }] }],
  ["response", 0xffff_ffff, { ok: [new Uint8Array([1]), new Uint8Array(0)] }],
  ["event", 0, { event: "log", message: "é".repeat(300) }],
  ["cancel", 3, null],
  ["response", 4, {
    ok: [new Uint8Array(20_000).fill(1), "\ufeffé".repeat(20_000), new Uint8Array(0)],
  }],
] as const;

Deno.test("createDecoder() gives back the frames however the stream is cut", () => {
  const stream = bytesOf(FRAMES.flatMap(([kind, id, value]) => encodeFrame(kind, id, value)));
  for (const step of [1, 2, 3, 7, 64, 1000, stream.length]) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += step) chunks.push(stream.slice(at, at + step));
    const frames = decode(chunks);
    deepStrictEqual(
      frames.map(({ kind, id, value }) => [kind, id, value]),
      FRAMES.map((frame) => [...frame]),
      `step ${step}`,
    );
    strictEqual(frames.reduce((sum, { size }) => sum + size, 0), stream.length);
  }
});

Deno.test("createDecoder() gives parts that outlive the chunk they came in", () => {
  const chunk = bytesOf(encodeFrame("event", 1, new Uint8Array([1, 2, 3])));
  const [frame] = decode([chunk]);
  chunk.fill(0);
  deepStrictEqual(frame?.value, new Uint8Array([1, 2, 3]));
});

/** A frame by hand, with any field wrong. */
function raw(fields: {
  length?: number;
  kind?: number;
  header?: Uint8Array;
  headerLength?: number;
  parts?: number[];
  body?: number;
}): Uint8Array {
  const { kind = 2, header = new TextEncoder().encode("null"), parts = [], body = 0 } = fields;
  const size = 15 + 4 * parts.length + header.length + body;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, fields.length ?? size - 4, true);
  bytes[4] = kind;
  view.setUint32(9, fields.headerLength ?? header.length, true);
  view.setUint16(13, parts.length, true);
  parts.forEach((part, i) => view.setUint32(15 + 4 * i, part, true));
  bytes.set(header, 15 + 4 * parts.length);
  return bytes;
}

Deno.test("createDecoder() throws when a frame is malformed", () => {
  const cases: [string, Uint8Array][] = [
    ["kind", raw({ kind: 9 })],
    ["too short", raw({ length: 3 })],
    ["header beyond the frame", raw({ headerLength: 5000 })],
    ["header shorter than the frame", raw({ headerLength: 2 })],
    ["part beyond the frame", raw({ parts: [50] })],
    ["bytes behind the last part", raw({ body: 3 })],
    ["parts that nobody points at", raw({ parts: [3], body: 3 })],
    ["not UTF-8", raw({ header: new Uint8Array([0xff, 0xfe]) })],
    ["not JSON", raw({ header: new TextEncoder().encode("{") })],
    ["too many parts", raw({ parts: Array(5000).fill(0) })],
    ["event too large", raw({ length: 1 << 19 })],
    ["all ones", new Uint8Array(64).fill(255)],
  ];
  for (const [name, bytes] of cases) {
    throws(
      () => decode([bytes]),
      (error) => error instanceof FrameError && error.code === "malformed",
      name,
    );
  }
});

Deno.test("createDecoder() says that an answer or a request is too large before it reads it", () => {
  const cases = [[1, "answer_too_large"], [0, "request_too_large"]] as const;
  for (const [kind, code] of cases) {
    const start = raw({ kind, length: MAX }).slice(0, 5);
    throws(
      () => decode([start]),
      (error) => error instanceof FrameError && error.code === code,
    );
  }
});

Deno.test("createDecoder() bounds requests, events and answers each by its own figure", () => {
  const bounds = { maxFrame: 100, maxRequest: 200, maxEvent: 300 };
  const most = { response: 100, request: 200, event: 300, cancel: 300 } as const;
  for (const [kind, bytes] of Object.entries(most)) {
    const frame = (size: number) => {
      const empty = encodeFrame(kind as keyof typeof most, 1, "");
      return bytesOf(encodeFrame(kind as keyof typeof most, 1, "x".repeat(size - sizeOf(empty))));
    };
    createDecoder(bounds).push(frame(bytes), () => {});
    throws(() => createDecoder(bounds).push(frame(bytes + 1), () => {}), FrameError, kind);
  }
});

Deno.test("createDecoder() finds a frame malformed before its parts have come", () => {
  const cases: [string, Uint8Array][] = [
    ["a header", raw({ kind: 1, headerLength: 5000, body: 900 })],
    ["a part", raw({ kind: 1, parts: [500, 500], body: 900 })],
    ["bytes behind", raw({ kind: 1, parts: [500], body: 900 })],
  ];
  for (const [message, bytes] of cases) {
    throws(
      () => decode([bytes.slice(0, 100)]),
      (error) => String(error).includes(message),
      message,
    );
  }
});

Deno.test("createDecoder() weighs a frame by what its header can become", () => {
  const [text, bytes] = [`{"ok":[${"{},".repeat(999)}{}]}`, new Uint8Array(50_000)];
  const [objects] = decode(encodeFrame("response", 1, JSON.parse(text)));
  strictEqual(objects!.weight, objects!.size + 19 * text.length);
  const [plain] = decode(encodeFrame("response", 1, bytes));
  ok(plain!.weight < plain!.size + 1000);
});

Deno.test("encodeFrame() sends large parts as they are", () => {
  const large = new Uint8Array(1 << 16);
  const blocks = encodeFrame("response", 1, { ok: large });
  strictEqual(blocks[1], large);
  strictEqual(encodeFrame("response", 1, { ok: large.subarray(0, 10) }).length, 1);
});

Deno.test("joinBlocks() keeps the bytes and makes fewer blocks", () => {
  const blocks = [3, 4, 100, 2, 2].map((length, i) => new Uint8Array(length).fill(i));
  const joined = joinBlocks(blocks, 10);
  deepStrictEqual(joined.map((block) => block.length), [7, 100, 4]);
  deepStrictEqual(bytesOf(joined), bytesOf(blocks));
  deepStrictEqual(joinBlocks([]), []);
});
