/**
 * A stage's output as one blob. Big endian:
 *
 * ```text
 * "CKP2" · u32 bytes of the header · u32 number of parts · u32 length of each part
 * header, UTF-8 JSON (see sandbox/plain.ts) · the parts
 * ```
 */
import { pack, unpack } from "../../sandbox/plain.ts";

const MAGIC = 0x434b5032;
/** Bytes of mark, header length and number of parts. */
const FIXED = 12;

/** The media type of such a blob. */
export const CHECKPOINT_TYPE = "application/vnd.carrel.checkpoint";

/** Throws a `PlainError` for what would not come back as it was: a Date, a Map, a function, … */
export function encodeCheckpoint(value: unknown): Uint8Array {
  const { header, parts } = pack(value);
  const text = new TextEncoder().encode(header);
  const front = FIXED + 4 * parts.length;
  const size = parts.reduce((sum, { length }) => sum + length, front + text.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  [MAGIC, text.length, parts.length, ...parts.map(({ length }) => length)]
    .forEach((number, i) => view.setUint32(4 * i, number));
  let offset = front;
  for (const block of [text, ...parts]) {
    bytes.set(block, offset);
    offset += block.length;
  }
  return bytes;
}

/** The value is plain data, of what shape is for the caller to find out. Throws when the bytes are no checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FIXED || view.getUint32(0) !== MAGIC) {
    throw new TypeError("Cannot read the checkpoint: it does not begin as one");
  }
  let offset = FIXED + 4 * view.getUint32(8);
  if (offset > bytes.length) throw cutOff();
  const take = (length: number): Uint8Array => {
    const block = bytes.slice(offset, offset += length);
    if (block.length < length) throw cutOff();
    return block;
  };
  const header = take(view.getUint32(4));
  const parts: Uint8Array[] = [];
  for (let at = FIXED; at < FIXED + 4 * view.getUint32(8); at += 4) {
    parts.push(take(view.getUint32(at)));
  }
  return unpack(new TextDecoder().decode(header), parts);
}

function cutOff(): TypeError {
  return new TypeError("Cannot read the checkpoint: it is cut off");
}
