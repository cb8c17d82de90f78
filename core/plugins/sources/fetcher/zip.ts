/**
 * Reads zip files (PKWARE APPNOTE 6.3), of which a `.carrel` file is one: stored and deflated files, one
 * disk, no encryption, no zip64. The central directory says what is in it; the local headers must agree,
 * lie one behind the other and not overlap, which is what the worst zip bombs live on.
 */
import { PluginError } from "@carrel/sdk";
import { createEntryGate, type Entry } from "./entries.ts";
import { sizeText } from "./limits.ts";
import type { UnpackLimits } from "./tar.ts";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;

interface ZipRecord {
  readonly name: Uint8Array;
  readonly path: string;
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
  readonly mode: number;
}

export async function readZip(
  bytes: Uint8Array,
  what: string,
  limits: UnpackLimits,
): Promise<readonly Entry[]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (why: string, file?: string) =>
    new PluginError("damaged", `Cannot unpack "${what}": ${why}.`, {
      ...(file === undefined ? {} : { data: { file: file.slice(0, 200) } }),
    });
  const gate = createEntryGate(what, limits);
  const { records, start } = directory();
  const entries: Entry[] = [];
  let behind = 0;
  for (const record of [...records].sort((a, b) => a.offset - b.offset)) {
    const { path } = record;
    const folder = path.endsWith("/");
    const format = record.mode & 0o170000;
    if (format !== 0 && format !== (folder ? 0o040000 : 0o100000)) {
      throw damaged(`the file "${path}" is a link or a device, which a plugin may not hold`, path);
    }
    const data = dataOf(record);
    if (folder) {
      if (record.size !== 0) throw damaged(`the file "${path}" is a folder with contents`, path);
      gate.folder(path);
      continue;
    }
    const name = gate.file(path);
    if (record.size > data.length * limits.ratio + 1024 * 1024) {
      throw new PluginError(
        "too_large",
        `Cannot unpack "${what}": the file "${path}" inflates to more than ${limits.ratio} times its size.`,
        { data: { file: path } },
      );
    }
    // Counted by what the directory promises, before anything is inflated; more than that is never read.
    gate.count(name, record.size, record.size);
    entries.push({ path: name, bytes: await contents(record, data) });
  }
  return entries;

  function directory(): { records: readonly ZipRecord[]; start: number } {
    // The end record may be followed by a comment; ours has none, and strangers' need none.
    const end = bytes.length - END_BYTES;
    if (end < 0 || view.getUint32(end, true) !== END) {
      throw damaged("it is not a whole zip file");
    }
    const count = view.getUint16(end + 10, true);
    const size = view.getUint32(end + 12, true);
    const start = view.getUint32(end + 16, true);
    if (
      view.getUint32(end + 4, true) !== 0 || view.getUint16(end + 8, true) !== count ||
      start + size !== end
    ) {
      throw damaged("its directory is broken");
    }
    if (count > limits.files) {
      throw new PluginError(
        "too_large",
        `Cannot unpack "${what}": it holds more than ${limits.files} files and folders.`,
      );
    }
    const records: ZipRecord[] = [];
    let at = start;
    for (let i = 0; i < count; i++) {
      if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) {
        throw damaged("its directory is broken");
      }
      const lengths = [28, 30, 32].map((field) => view.getUint16(at + field, true));
      const next = at + 46 + lengths[0]! + lengths[1]! + lengths[2]!;
      if (next > end) throw damaged("its directory is broken");
      const name = bytes.subarray(at + 46, at + 46 + lengths[0]!);
      records.push({
        name,
        path: pathOf(name),
        flags: view.getUint16(at + 8, true),
        method: view.getUint16(at + 10, true),
        crc: view.getUint32(at + 16, true),
        packed: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        // The upper half holds a Unix mode, if the upper byte of "made by" says so; links show there.
        mode: view.getUint32(at + 38, true) >>> 16,
        offset: view.getUint32(at + 42, true),
      });
      at = next;
    }
    if (at !== end) throw damaged("its directory is broken");
    return { records, start };
  }

  function pathOf(name: Uint8Array): string {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(name);
    } catch {
      throw damaged("it holds a file whose name is not UTF-8");
    }
  }

  function dataOf(record: ZipRecord): Uint8Array {
    const { offset: at, path } = record;
    if (at < behind || at + 30 > start || view.getUint32(at, true) !== LOCAL) {
      throw damaged(`the file "${path}" overlaps another or is not there`, path);
    }
    const nameLength = view.getUint16(at + 26, true);
    const from = at + 30 + nameLength + view.getUint16(at + 28, true);
    const name = bytes.subarray(at + 30, at + 30 + nameLength);
    const same = name.length === record.name.length &&
      name.every((byte, i) => byte === record.name[i]);
    if (!same || view.getUint16(at + 8, true) !== record.method) {
      throw damaged(`the file "${path}" is said to be two things`, path);
    }
    if ((record.flags & 0x2041) !== 0) throw damaged(`the file "${path}" is encrypted`, path);
    behind = from + record.packed;
    if (behind > start) throw damaged(`the file "${path}" is not whole`, path);
    return bytes.subarray(from, behind);
  }

  async function contents(record: ZipRecord, data: Uint8Array): Promise<Uint8Array> {
    const { path, size } = record;
    let contents: Uint8Array;
    if (record.method === 0) contents = data.slice();
    else if (record.method === 8) contents = await inflate(data, size, path);
    else throw damaged(`the file "${path}" is packed by an unknown method`, path);
    if (contents.length !== size || crc32(contents) !== record.crc) {
      throw damaged(`the file "${path}" is broken`, path);
    }
    return contents;
  }

  async function inflate(data: Uint8Array, size: number, path: string): Promise<Uint8Array> {
    const contents = new Uint8Array(size);
    let at = 0;
    const blob = new Blob([data as Uint8Array<ArrayBuffer>]);
    try {
      for await (const piece of blob.stream().pipeThrough(new DecompressionStream("deflate-raw"))) {
        if (at + piece.length > size) {
          throw new PluginError(
            "too_large",
            `Cannot unpack "${what}": the file "${path}" is larger than the ${
              sizeText(size)
            } that it is said to have.`,
            { data: { file: path } },
          );
        }
        contents.set(piece, at);
        at += piece.length;
      }
    } catch (cause) {
      if (cause instanceof PluginError) throw cause;
      throw damaged(`the file "${path}" is broken`, path);
    }
    if (at !== size) throw damaged(`the file "${path}" is broken`, path);
    return contents;
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** CRC-32 of ISO 3309, as zip uses it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
