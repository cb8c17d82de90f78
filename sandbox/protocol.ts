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
import { MAX_PARTS, pack, PlainError, unpack } from "./plain.ts";

export type FrameKind = "request" | "response" | "event" | "cancel";

export interface Frame {
  readonly kind: FrameKind;
  /** 32 bits, unsigned; each side counts its own requests. */
  readonly id: number;
  readonly value: unknown;
  /** Bytes on the wire. */
  readonly size: number;
}

/** A stream that is no sequence of frames within the bounds. Nothing behind it can be read. */
export class FrameError extends Error {
  override readonly name = "FrameError";
  constructor(message: string, readonly code: "malformed" | "too_large" = "malformed") {
    super(message);
  }
}

export interface DecoderOptions {
  /** Bytes of one frame. */
  readonly maxFrame: number;
  /** Bytes of one event or cancel. @default 262144 */
  readonly maxEvent?: number;
}

const KINDS: readonly FrameKind[] = ["request", "response", "event", "cancel"];
/** Bytes of length, kind, id, header length and number of parts. */
const FIXED = 15;
/** From here on a part is sent as it is, not copied into one block with what stands before it. */
const COPY_BELOW = 16 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

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
  const { maxFrame, maxEvent = 256 * 1024 } = options;
  /** A frame that is not whole yet: its bytes so far, at the start of a buffer made for all of it. */
  let partial: Uint8Array | undefined;
  let filled = 0;
  /** Fewer bytes than say how long the frame is and what it is. */
  let rest: Uint8Array = new Uint8Array(0);

  /** Bytes of the frame at `at`, its length field included. */
  function frameSize(bytes: Uint8Array, at: number): number {
    const length = readU32(bytes, at);
    const kind = KINDS[bytes[at + 4]!];
    if (kind === undefined) throw new FrameError(`a frame of kind ${bytes[at + 4]}`);
    if (length < FIXED - 4) throw new FrameError(`a frame of ${length} bytes`);
    const small = kind === "event" || kind === "cancel";
    if (length + 4 > (small ? Math.min(maxEvent, maxFrame) : maxFrame)) {
      // Of an answer it is worth saying that it is too large; anything else is broken.
      throw new FrameError(
        `a ${kind} of ${length} bytes`,
        kind === "response" ? "too_large" : "malformed",
      );
    }
    return length + 4;
  }

  function push(bytes: Uint8Array, onFrame: (frame: Frame) => void): void {
    let at = 0;
    if (partial !== undefined) {
      at = Math.min(partial.length - filled, bytes.length);
      partial.set(at === bytes.length ? bytes : bytes.subarray(0, at), filled);
      filled += at;
      if (filled < partial.length) return;
      const whole = partial;
      partial = undefined;
      onFrame(parseFrame(whole, 0, whole.length));
    } else if (rest.length > 0) {
      bytes = concat([rest, bytes], rest.length + bytes.length);
      rest = new Uint8Array(0);
    }
    while (bytes.length - at >= 5) {
      const size = frameSize(bytes, at);
      if (bytes.length - at < size) {
        partial = new Uint8Array(size);
        partial.set(bytes.subarray(at));
        filled = bytes.length - at;
        return;
      }
      onFrame(parseFrame(bytes, at, size));
      at += size;
    }
    if (at < bytes.length) rest = bytes.slice(at);
  }

  return { push };
}

/** Parses the frame of `size` bytes at `at`. Parts are copies: they outlive the buffer. */
function parseFrame(bytes: Uint8Array, at: number, size: number): Frame {
  const end = at + size;
  const headerLength = readU32(bytes, at + 9);
  const count = bytes[at + 13]! | bytes[at + 14]! << 8;
  if (count > MAX_PARTS) throw new FrameError(`${count} parts`);
  let offset = at + FIXED + 4 * count;
  const headerEnd = offset + headerLength;
  if (headerEnd > end) throw new FrameError("a header longer than its frame");
  let value: unknown;
  try {
    const header = decoder.decode(bytes.subarray(offset, headerEnd));
    const parts: Uint8Array[] = [];
    offset = headerEnd;
    for (let i = 0; i < count; i++) {
      const partEnd = offset + readU32(bytes, at + FIXED + 4 * i);
      if (partEnd > end) throw new FrameError("a part longer than its frame");
      parts.push(bytes.slice(offset, partEnd));
      offset = partEnd;
    }
    if (offset !== end) throw new FrameError("bytes behind the last part");
    value = unpack(header, parts);
  } catch (error) {
    if (error instanceof FrameError) throw error;
    throw new FrameError(
      error instanceof PlainError ? error.message : "a header that is not UTF-8",
    );
  }
  return { kind: KINDS[bytes[at + 4]!]!, id: readU32(bytes, at + 5), value, size };
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
