/** For tests: zip files made byte by byte. */
import { deflateSync } from "fflate";
import { crc32 } from "../fetcher/zip.ts";
import { concat } from "./archives.ts";

export interface ZipEntry {
  readonly path: string | Uint8Array;
  readonly text?: string | Uint8Array;
  /** @default deflated */
  readonly stored?: boolean;
  readonly method?: number;
  readonly flags?: number;
  /** Unix mode. */
  readonly mode?: number;
  /** Said instead of the true ones. */
  readonly size?: number;
  readonly crc?: number;
  /** The name in the local header. */
  readonly localPath?: string;
  /** Points to the local header of an earlier entry. */
  readonly same?: number;
}

const bytesOf = (text: string | Uint8Array) =>
  typeof text === "string" ? new TextEncoder().encode(text) : text;

export function zip(
  entries: readonly ZipEntry[],
  change: { readonly count?: number; readonly size?: number; readonly tail?: Uint8Array } = {},
): Uint8Array<ArrayBuffer> {
  const locals: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  const offsets: number[] = [];
  let at = 0;
  for (const entry of entries) {
    const body = bytesOf(entry.text ?? "");
    const data = entry.stored ? body : deflateSync(body);
    const method = entry.method ?? (entry.stored ? 0 : 8);
    const name = bytesOf(entry.path);
    const crc = entry.crc ?? crc32(body);
    const size = entry.size ?? body.length;
    const local = header(30, [[0, 4, 0x04034b50], [8, 2, method], [14, 4, crc], [
      18,
      4,
      data.length,
    ], [
      22,
      4,
      size,
    ], [26, 2, bytesOf(entry.localPath ?? name).length]]);
    const offset = entry.same === undefined ? at : offsets[entry.same]!;
    offsets.push(offset);
    if (entry.same === undefined) {
      const whole = concat([local, bytesOf(entry.localPath ?? name), data]);
      locals.push(whole);
      at += whole.length;
    }
    central.push(concat([
      header(46, [
        [0, 4, 0x02014b50],
        [4, 2, 0x0314],
        [8, 2, entry.flags ?? 0x800],
        [10, 2, method],
        [16, 4, crc],
        [20, 4, data.length],
        [24, 4, size],
        [28, 2, name.length],
        [38, 4, ((entry.mode ?? 0o100644) << 16) >>> 0],
        [42, 4, offset],
      ]),
      name,
    ]));
  }
  const directory = concat(central);
  const count = change.count ?? entries.length;
  const end = header(22, [[0, 4, 0x06054b50], [8, 2, count], [10, 2, count], [
    12,
    4,
    change.size ?? directory.length,
  ], [16, 4, at]]);
  return concat([...locals, directory, end, change.tail ?? new Uint8Array()]);
}

function header(
  length: number,
  fields: readonly (readonly [at: number, bytes: number, value: number])[],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(length));
  for (const [at, bytes, value] of fields) {
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
  }
  return new Uint8Array(view.buffer);
}
