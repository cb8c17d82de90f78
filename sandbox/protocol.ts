/**
 * The frames between host and guest, on a unix socket. Little endian:
 *
 * ```text
 * u32 length of all that follows · u8 kind · u32 id · u32 header bytes · u16 parts · u32 length of each part
 * header, UTF-8 JSON (see plain.ts) · the parts
 * ```
 *
 * - **request**: host to guest, a method of the plugin; guest to host, a service. Answered once.
 * - **response**: the id is that of the receiver's own request.
 * - **event**: no answer. The id is the call it belongs to, 0 for the runner itself.
 * - **cancel**: the id is that of a request made before.
 */
import { MAX_PARTS, MAX_TEXTS, pack, PlainError, unpack } from "./plain.ts";

export type FrameKind = "request" | "response" | "event" | "cancel";

export interface Frame {
  readonly kind: FrameKind;
  /** 32 bits, unsigned; each side counts its own requests. */
  readonly id: number;
  readonly value: unknown;
  /** Bytes on the wire. */
  readonly size: number;
  /** Bytes of memory that its value takes, at most. */
  readonly weight: number;
}

export type FrameFault = "malformed" | "answer_too_large" | "request_too_large";

/** A stream that is no sequence of frames within the bounds. Nothing behind it can be read. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  constructor(message: string, readonly code: FrameFault = "malformed") {
    super(message);
  }
}

export interface DecoderOptions {
  /** Bytes of one answer; of any other frame, where nothing else is said. */
  readonly maxFrame: number;
  /** Bytes of one request. @default maxFrame */
  readonly maxRequest?: number;
  /** Bytes of one event or cancel. @default 262144, or maxFrame if that is less */
  readonly maxEvent?: number;
  /**
   * Told of a frame that is not whole yet, with the bytes of memory that its value will take at most. What it is about
   * comes with `onFrame`, before any other frame.
   */
  readonly onBegin?: ((kind: FrameKind, weight: number) => void) | undefined;
}

const KINDS: readonly FrameKind[] = ["request", "response", "event", "cancel"];
/** Bytes of length, kind, id, header length and number of parts. */
const FIXED = 15;
/** From here on a part is sent as it is, not copied into one block with what stands before it. */
const COPY_BELOW = 16 * 1024;
/** Parsed JSON takes up to so many times the memory of its text: `{},` makes an object of 64 bytes. */
const PARSED = 20;

const encoder = new TextEncoder();
/** Not `fatal`, see plain.ts. */
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The frame as blocks to send one after another. Throws `PlainError` if the value is not plain data. */
export function encodeFrame(kind: FrameKind, id: number, value: unknown): Uint8Array[] {
  const { header, parts } = pack(value);
  const text = encoder.encode(header);
  const inline = parts.every((part) => part.length < COPY_BELOW);
  let body = 0;
  for (const part of parts) body += part.length;
  const front = FIXED + 4 * parts.length + text.length;
  const length = front - 4 + body;
  if (length > 0xffff_ffff) throw new PlainError("the value is larger than 4 GiB");

  const block = new Uint8Array(inline ? front + body : front);
  const view = new DataView(block.buffer);
  view.setUint32(0, length, true);
  block[4] = KINDS.indexOf(kind);
  view.setUint32(5, id, true);
  view.setUint32(9, text.length, true);
  view.setUint16(13, parts.length, true);
  for (let i = 0; i < parts.length; i++) view.setUint32(FIXED + 4 * i, parts[i]!.length, true);
  block.set(text, FIXED + 4 * parts.length);
  if (!inline) return [block, ...parts];
  let offset = front;
  for (const part of parts) {
    block.set(part, offset);
    offset += part.length;
  }
  return [block];
}

/** Bytes on the wire of a frame that was encoded. */
export function sizeOf(blocks: readonly Uint8Array[]): number {
  return blocks.reduce((sum, block) => sum + block.length, 0);
}

/** The same bytes in as few blocks as sense makes: small neighbours are put into one. */
export function joinBlocks(blocks: readonly Uint8Array[], upTo = 64 * 1024): Uint8Array[] {
  if (blocks.length < 2) return [...blocks];
  const joined: Uint8Array[] = [];
  let run: Uint8Array[] = [];
  let size = 0;
  const flush = () => {
    if (run.length === 1) joined.push(run[0]!);
    else if (run.length > 1) joined.push(concat(run, size));
    run = [];
    size = 0;
  };
  for (const block of blocks) {
    if (size > 0 && size + block.length > upTo) flush();
    run.push(block);
    size += block.length;
  }
  flush();
  return joined;
}

export interface FrameDecoder {
  /** Takes the next bytes of the stream; calls `onFrame` for each frame that they complete. Throws `FrameError`. */
  push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void;
}

export function createDecoder(options: DecoderOptions): FrameDecoder {
  const { maxFrame, maxRequest = maxFrame, maxEvent = Math.min(256 * 1024, maxFrame) } = options;
  /** A frame that is not whole yet. */
  let open: OpenFrame | undefined;
  /** Fewer bytes than say what a frame is. */
  let rest: Uint8Array = new Uint8Array(0);

  /** Bytes of the frame at `at`, its length field included. */
  function frameSize(bytes: Uint8Array, at: number): number {
    const size = readU32(bytes, at) + 4;
    const kind = KINDS[bytes[at + 4]!];
    if (kind === undefined) throw new FrameError(`a frame of kind ${bytes[at + 4]}`);
    if (size < FIXED) throw new FrameError(`a frame of ${size - 4} bytes`);
    const most = kind === "response" ? maxFrame : kind === "request" ? maxRequest : maxEvent;
    if (size > most) {
      // Of an answer and a request it is worth saying that they are too large; anything else is broken.
      throw new FrameError(
        `a ${kind} of ${size - 4} bytes`,
        kind === "response"
          ? "answer_too_large"
          : kind === "request"
          ? "request_too_large"
          : "malformed",
      );
    }
    return size;
  }

  function push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    let at = 0;
    if (open !== undefined) {
      at = open.fill(bytes, 0);
      const frame = open.whole();
      if (frame === undefined) return;
      open = undefined;
      onFrame(frame);
    } else if (rest.length > 0) {
      bytes = concat([rest, bytes], rest.length + bytes.length);
      rest = new Uint8Array(0);
    }
    while (bytes.length - at >= 5) {
      const size = frameSize(bytes, at);
      if (bytes.length - at < FIXED) break;
      if (bytes.length - at < size) {
        open = openFrame(bytes.subarray(at), size);
        options.onBegin?.(KINDS[bytes[at + 4]!]!, open.weight);
        open.fill(bytes, at);
        return;
      }
      onFrame(parseFrame(bytes, at, size));
      at += size;
    }
    if (at < bytes.length) rest = bytes.slice(at);
  }

  return { push };
}

/** What the fixed bytes of a frame say of the others. */
interface Layout {
  readonly parts: number;
  /** Bytes up to the end of the header. */
  readonly front: number;
}

/** @param size Bytes of the frame. */
function layoutOf(bytes: Uint8Array, at: number, size: number): Layout {
  const parts = bytes[at + 13]! | bytes[at + 14]! << 8;
  if (parts > MAX_PARTS + MAX_TEXTS) throw new FrameError(`${parts} parts`);
  const front = FIXED + 4 * parts + readU32(bytes, at + 9);
  if (front > size) throw new FrameError("a header longer than its frame");
  return { parts, front };
}

/** Lengths of the parts, which fill the frame. */
function partLengths(bytes: Uint8Array, at: number, size: number, layout: Layout): number[] {
  let left = size - layout.front;
  const lengths: number[] = [];
  for (let i = 0; i < layout.parts; i++) {
    const length = readU32(bytes, at + FIXED + 4 * i);
    left -= length;
    if (left < 0) throw new FrameError("a part longer than its frame");
    lengths.push(length);
  }
  if (left > 0) throw new FrameError("bytes behind the last part");
  return lengths;
}

interface OpenFrame {
  /** See `Frame`. */
  readonly weight: number;
  /** Takes what belongs to the frame; says where in `bytes` it ends. */
  fill(bytes: Uint8Array, from: number): number;
  whole(): Frame | undefined;
}

/**
 * A frame that comes in pieces: each goes to where it stays, a large part straight into its own memory, which is
 * taken when the part begins. Announcing much takes nothing.
 */
function openFrame(start: Uint8Array, size: number): OpenFrame {
  const layout = layoutOf(start, 0, size);
  const front = new Uint8Array(layout.front);
  const parts: Uint8Array[] = [];
  let lengths: readonly number[] = [];
  let current = front;
  let filled = 0;
  let complete = false;

  /** What is filled next, once `current` is full. */
  function next(): void {
    if (current === front) lengths = partLengths(front, 0, size, layout);
    else parts.push(current);
    complete = parts.length === lengths.length;
    if (!complete) current = new Uint8Array(lengths[parts.length]!);
    filled = 0;
  }

  return {
    weight: weightOf(size, layout),
    fill(bytes, from) {
      let at = from;
      while (!complete) {
        const count = Math.min(current.length - filled, bytes.length - at);
        current.set(bytes.subarray(at, at + count), filled);
        filled += count;
        at += count;
        if (filled < current.length) break;
        next();
      }
      return at;
    },
    whole: () => complete ? makeFrame(front, 0, size, layout, parts) : undefined,
  };
}

/** Parses the frame of `size` bytes at `at`. Parts are copies: they outlive the buffer. */
function parseFrame(bytes: Uint8Array, at: number, size: number): Frame {
  const layout = layoutOf(bytes, at, size);
  let offset = at + layout.front;
  const parts = partLengths(bytes, at, size, layout).map((length) =>
    bytes.slice(offset, offset += length)
  );
  return makeFrame(bytes, at, size, layout, parts);
}

function makeFrame(
  bytes: Uint8Array,
  at: number,
  size: number,
  layout: Layout,
  parts: readonly Uint8Array[],
): Frame {
  const headerAt = FIXED + 4 * layout.parts;
  let value: unknown;
  try {
    value = unpack(decoder.decode(bytes.subarray(at + headerAt, at + layout.front)), parts);
  } catch (error) {
    throw new FrameError(
      error instanceof PlainError ? error.message : "a header that is too long",
    );
  }
  return {
    kind: KINDS[bytes[at + 4]!]!,
    id: readU32(bytes, at + 5),
    value,
    size,
    weight: weightOf(size, layout),
  };
}

function weightOf(size: number, { parts, front }: Layout): number {
  return size + (PARSED - 1) * (front - FIXED - 4 * parts);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

function concat(blocks: readonly Uint8Array[], size: number): Uint8Array {
  const all = new Uint8Array(size);
  let offset = 0;
  for (const block of blocks) {
    all.set(block, offset);
    offset += block.length;
  }
  return all;
}
