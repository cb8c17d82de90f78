/**
 * A stage's output as one blob: `CKP1`, the length of a JSON header (32 bits, big endian), the header, and the
 * byte arrays one after another. In the header's value a byte array stands as `{"$bytes": index}`; keys that
 * begin with `$` get a second one, so that no plain object is taken for bytes.
 */
const MAGIC = 0x434b5031;
const PREFIX = 8;

/** The media type of such a blob. */
export const CHECKPOINT_TYPE = "application/vnd.carrel.checkpoint";

interface Header {
  /** Absent for `undefined`. */
  readonly value?: unknown;
  /** Bytes of each part. */
  readonly parts: readonly number[];
}

/** Throws a `TypeError` for what would not come back as it was: a Date, a Map, a function, … */
export function encodeCheckpoint(value: unknown): Uint8Array {
  const parts: Uint8Array[] = [];
  const plain = pack(value, parts, 0);
  const header = new TextEncoder().encode(
    JSON.stringify({ value: plain, parts: parts.map(({ length }) => length) } satisfies Header),
  );
  const size = parts.reduce((sum, { length }) => sum + length, PREFIX + header.length);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, header.length);
  bytes.set(header, PREFIX);
  let offset = PREFIX + header.length;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Throws a `TypeError` when the bytes are no checkpoint. */
export function decodeCheckpoint(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < PREFIX || view.getUint32(0) !== MAGIC) {
    throw new TypeError("Cannot read the checkpoint: it does not begin as one");
  }
  const end = PREFIX + view.getUint32(4);
  const header: Header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX, end)));
  let offset = end;
  const parts = header.parts.map((length) => {
    const part = bytes.slice(offset, offset + length);
    if (part.length < length) throw new TypeError("Cannot read the checkpoint: it is cut off");
    offset += length;
    return part;
  });
  return unpack(header.value, parts);
}

/** Deeper data is a cycle, or no stage's output. */
const MAX_DEPTH = 200;

function pack(value: unknown, parts: Uint8Array[], depth: number): unknown {
  if (depth > MAX_DEPTH) throw new TypeError("Cannot store the checkpoint: it is too deep");
  if (value instanceof Uint8Array) return { $bytes: parts.push(value) - 1 };
  if (Array.isArray(value)) return value.map((item) => pack(item, parts, depth + 1));
  if (typeof value === "object" && value !== null) {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError(`Cannot store the checkpoint: a ${value.constructor?.name} is not plain`);
    }
    return Object.fromEntries(
      Object.entries(value).map((
        [key, item],
      ) => [key.startsWith("$") ? `$${key}` : key, pack(item, parts, depth + 1)]),
    );
  }
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") {
    throw new TypeError(`Cannot store the checkpoint: a ${typeof value} is not plain`);
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new TypeError(`Cannot store the checkpoint: ${value} is not plain`);
  }
  return value;
}

function unpack(value: unknown, parts: readonly Uint8Array[]): unknown {
  if (Array.isArray(value)) return value.map((item) => unpack(item, parts));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]![0] === "$bytes") return parts[Number(entries[0]![1])];
  return Object.fromEntries(
    entries.map(([key, item]) => [key.startsWith("$") ? key.slice(1) : key, unpack(item, parts)]),
  );
}
