/**
 * Pages of large texts, by UTF-16 code units, out of files of UTF-8: a file is read once to know where its pages
 * begin, then of each page only its own bytes.
 */
import type { ByteRange } from "../stores/objects.ts";

export interface TextFile {
  /** Names the bytes: what is known of them stays true. */
  readonly digest: string;
  open(range?: ByteRange): Promise<ReadableStream<Uint8Array>>;
}

export interface TextPage {
  readonly text: string;
  /** Code units of the whole text. */
  readonly length: number;
  /** Where the next page begins; no page ends within a character. */
  readonly end: number;
}

export type ReadPage = (file: TextFile, from: number, length: number) => Promise<TextPage>;

/** A place at the beginning of a character. */
interface Place {
  readonly byte: number;
  readonly unit: number;
}

interface Index {
  /** Ascending; the first is the beginning, the last the end. */
  readonly places: readonly Place[];
}

/** Bytes from one place of an index to the next. */
const STEP = 64 * 1024;
/** Texts whose indexes are kept: some thousand bytes each. */
const KEPT = 64;

export function createTextPages(): ReadPage {
  const indexes = new Map<string, Promise<Index>>();

  function indexOf(file: TextFile): Promise<Index> {
    const index = indexes.get(file.digest) ?? file.open().then(readIndex);
    // The one that was used last goes last.
    indexes.delete(file.digest);
    indexes.set(file.digest, index);
    index.catch(() => indexes.delete(file.digest));
    for (const digest of indexes.keys()) {
      if (indexes.size <= KEPT) break;
      indexes.delete(digest);
    }
    return index;
  }

  return async (file, from, length) => {
    const { places } = await indexOf(file);
    const whole = places.at(-1)!.unit;
    if (from >= whole) return { text: "", length: whole, end: whole };
    const wanted = Math.min(whole, from + length);
    const start = places.findLast(({ unit }) => unit <= from)!;
    // One unit more, for a page that must take all of a character.
    const stop = places.find(({ unit }) => unit > wanted) ?? places.at(-1)!;
    const stream = await file.open({ start: start.byte, end: stop.byte });
    const bytes = await new Response(stream).arrayBuffer();
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const first = from - start.unit;
    const end = pageEnd(text, first, wanted - from);
    return { text: text.slice(first, end), length: whole, end: start.unit + end };
  };
}

async function readIndex(stream: ReadableStream<Uint8Array>): Promise<Index> {
  const places: Place[] = [{ byte: 0, unit: 0 }];
  let byte = 0;
  let unit = 0;
  let next = STEP;
  for await (const chunk of stream) {
    for (const value of chunk) {
      // Each character begins with a byte that goes on with none, and those of four bytes are two units.
      if ((value & 0xc0) !== 0x80) {
        if (byte >= next) {
          places.push({ byte, unit });
          next = byte + STEP;
        }
        unit += value >= 0xf0 ? 2 : 1;
      }
      byte++;
    }
  }
  places.push({ byte, unit });
  return { places };
}

/** No page ends within a character of two code units. */
function pageEnd(text: string, from: number, length: number): number {
  const end = Math.min(text.length, from + length);
  const last = text.charCodeAt(end - 1);
  const split = end < text.length && last >= 0xd800 && last <= 0xdbff;
  if (!split) return end;
  return end - 1 > from ? end - 1 : end + 1;
}
