/**
 * Reads tar archives: ustar (POSIX.1-1988) with pax headers (POSIX.1-2001) and GNU long names. Files and
 * folders only: links and devices are refused. Nothing is trusted: sizes, sums and names are checked, and
 * the bytes are counted while they are inflated.
 */
import { PluginError } from "@carrel/sdk";
import { createEntryGate, type Entry } from "./entries.ts";
import { sizeText, type SourceLimits } from "./limits.ts";

const BLOCK = 512;
/** The longest pax header or GNU long name, bytes. */
const MAX_HEADER = 64 * 1024;

export type UnpackLimits = Pick<SourceLimits, "totalBytes" | "fileBytes" | "files" | "ratio">;

/** Takes `.tar.gz`; a plain `.tar` too, which servers make of it by content encoding. */
export async function readTar(
  packed: Uint8Array,
  what: string,
  limits: UnpackLimits,
): Promise<readonly Entry[]> {
  const gate = createEntryGate(what, limits);
  const damaged = (why: string) => new PluginError("damaged", `Cannot unpack "${what}": ${why}.`);
  const reader = createReader(inflated(packed, what, limits));
  const entries: Entry[] = [];
  /** From pax and GNU headers, for the next entry only. */
  let next: { path?: string; size?: number; link?: boolean } = {};
  try {
    for (;;) {
      const block = await reader.take(BLOCK);
      if (block === undefined) throw damaged("it ends in the middle");
      if (block.every((byte) => byte === 0)) break;
      if (!sumFits(block)) throw damaged("it is not a tar archive, or a header in it is broken");
      const type = String.fromCharCode(block[156]!);
      const size = next.size ?? numberOf(block.subarray(124, 136));
      const path = next.path ?? nameOf(block);
      if (size === undefined || path === undefined) {
        throw damaged(
          path === undefined ? "it holds a file whose name is not UTF-8" : "a size in it is broken",
        );
      }
      switch (type) {
        case "x":
        case "g":
        case "L": {
          const text = await header(size, type === "L");
          if (type === "L") next = { ...next, path: text.replace(/\0+$/, "") };
          else if (type === "x") next = { ...next, ...paxFields(text) };
          continue;
        }
        case "0":
        case "\0":
        case "7": {
          if (next.link) throw refuse(path, "is a link");
          const name = gate.file(path);
          entries.push({ path: name, bytes: await body(name, size) });
          break;
        }
        case "5":
          if (size !== 0) throw refuse(path, "is a folder with contents");
          gate.folder(path);
          break;
        default:
          throw refuse(
            path,
            `is ${TYPES[type] ?? "of an unknown type"}, which a plugin may not hold`,
          );
      }
      next = {};
    }
  } finally {
    await reader.cancel();
  }
  return entries;

  async function header(size: number, longName: boolean): Promise<string> {
    if (size > MAX_HEADER) throw damaged("a header in it is too long");
    const bytes = await padded(size);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw damaged(
        longName ? "it holds a file whose name is not UTF-8" : "a header in it is not UTF-8",
      );
    }
  }

  async function body(path: string, size: number): Promise<Uint8Array> {
    // Counted before the memory is taken.
    gate.count(path, size, size);
    return await padded(size);
  }

  async function padded(size: number): Promise<Uint8Array> {
    const bytes = await reader.take(size);
    const padding = (BLOCK - size % BLOCK) % BLOCK;
    if (bytes === undefined || await reader.take(padding) === undefined) {
      throw damaged("it ends in the middle");
    }
    return bytes;
  }

  function refuse(path: string, why: string): PluginError {
    return new PluginError("damaged", `Cannot unpack "${what}": the file "${path}" ${why}.`, {
      data: { file: path.slice(0, 200) },
    });
  }

  function paxFields(text: string): { path?: string; size?: number; link?: boolean } {
    const fields: { path?: string; size?: number; link?: boolean } = {};
    for (const [key, value] of paxRecords(text)) {
      if (key === "path") fields.path = value;
      else if (key === "linkpath") fields.link = true;
      else if (key.startsWith("GNU.sparse.")) throw damaged("it holds a sparse file");
      else if (key === "size") {
        if (!/^[0-9]{1,15}$/.test(value)) throw damaged("a size in it is broken");
        fields.size = Number(value);
      }
    }
    return fields;
  }

  /** `<bytes> <key>=<value>\n`, again and again; the number counts the whole record. */
  function* paxRecords(text: string): Generator<[string, string]> {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) {
      const digits = /^[0-9]{1,6} /.exec(decode(bytes.subarray(at, at + 8)))?.[0];
      const length = Number(digits ?? 0);
      const record = decode(bytes.subarray(at + (digits?.length ?? 0), at + length - 1));
      const equals = record.indexOf("=");
      if (
        digits === undefined || length <= digits.length || bytes[at + length - 1] !== 10 ||
        equals < 1
      ) {
        throw damaged("a header in it is broken");
      }
      yield [record.slice(0, equals), record.slice(equals + 1)];
      at += length;
    }
  }
}

const TYPES: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a pipe",
  "K": "a link",
  "S": "a sparse file",
};

function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

/** The sum of a header's bytes, its own field counted as spaces. */
function sumFits(block: Uint8Array): boolean {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  return numberOf(block.subarray(148, 156)) === sum;
}

/** An octal number, or a binary one when the first bit is set (GNU). Undefined when it is none. */
function numberOf(field: Uint8Array): number | undefined {
  if ((field[0]! & 0x80) !== 0) {
    let value = 0;
    // 0xff in front means a negative one.
    if (field[0] !== 0x80) return undefined;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = decode(field).replace(/[\0 ]+$/, "").trimStart();
  return /^[0-7]*$/.test(text) ? parseInt(text || "0", 8) : undefined;
}

/** Name and, in ustar, prefix. Undefined when it is not UTF-8. */
function nameOf(block: Uint8Array): string | undefined {
  const field = (from: number, length: number) => {
    const bytes = block.subarray(from, from + length);
    const end = bytes.indexOf(0);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(end < 0 ? bytes : bytes.subarray(0, end));
  };
  try {
    // GNU keeps other things where POSIX keeps the prefix.
    const ustar = decode(block.subarray(257, 263)) === "ustar\0";
    const prefix = ustar ? field(345, 155) : "";
    return prefix === "" ? field(0, 100) : `${prefix}/${field(0, 100)}`;
  } catch {
    return undefined;
  }
}

/** The bytes inside, no more of them than the limits allow. */
async function* inflated(
  packed: Uint8Array,
  what: string,
  limits: UnpackLimits,
): AsyncGenerator<Uint8Array> {
  if (packed[0] !== 0x1f || packed[1] !== 0x8b) {
    yield packed;
    return;
  }
  // Headers and padding come on top of the files.
  const most = limits.totalBytes + limits.files * 4 * BLOCK + 2 * BLOCK;
  const byRatio = packed.length * limits.ratio + 1024 * 1024;
  const blob = new Blob([packed as Uint8Array<ArrayBuffer>]);
  let read = 0;
  try {
    for await (const piece of blob.stream().pipeThrough(new DecompressionStream("gzip"))) {
      read += piece.length;
      if (read > byRatio || read > most) {
        throw new PluginError(
          "too_large",
          read > byRatio
            ? `Cannot unpack "${what}": it inflates to more than ${limits.ratio} times its size.`
            : `Cannot unpack "${what}": it comes to more than ${sizeText(limits.totalBytes)}.`,
        );
      }
      yield piece;
    }
  } catch (cause) {
    if (cause instanceof PluginError) throw cause;
    throw new PluginError("damaged", `Cannot unpack "${what}": its compressed data is broken.`, {
      cause,
    });
  }
}

interface Reader {
  /** Just so many bytes; undefined when there are fewer. */
  take(length: number): Promise<Uint8Array | undefined>;
  cancel(): Promise<unknown>;
}

function createReader(source: AsyncGenerator<Uint8Array>): Reader {
  let rest: Uint8Array = new Uint8Array();
  return {
    async take(length) {
      if (rest.length >= length) {
        const taken = rest.slice(0, length);
        rest = rest.subarray(length);
        return taken;
      }
      // Grown as the bytes come: a header may promise more than there is.
      const pieces = [rest];
      let have = rest.length;
      rest = new Uint8Array();
      while (have < length) {
        const { done, value } = await source.next();
        if (done) return undefined;
        pieces.push(value);
        have += value.length;
      }
      const all = new Uint8Array(have);
      let at = 0;
      for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
      }
      rest = all.subarray(length);
      return all.subarray(0, length);
    },
    cancel: () => source.return(undefined),
  };
}
