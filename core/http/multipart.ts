/** `multipart/form-data` (RFC 7578) read as a stream, one part after the other. */
import { Buffer } from "node:buffer";
import { CarrelError } from "../errors.ts";

export interface FormPart {
  readonly name: string;
  /** Present for files. */
  readonly filename: string | undefined;
  readonly mediaType: string | undefined;
  /** The part's bytes; to be read to its end before the next part is asked for. */
  readonly body: AsyncIterable<Uint8Array>;
}

const MAX_HEADER_BYTES = 16 * 1024;
const MAX_PARTS = 1000;

/** The boundary that a `Content-Type` names. Throws `invalid_upload`. */
export function boundaryOf(contentType: string): string {
  const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const boundary = match?.[1] ?? match?.[2];
  if (boundary === undefined) throw invalidUpload("its Content-Type names no boundary");
  return boundary;
}

/** The parts of a form, in order. Throws `invalid_upload` for what is no form or is cut off. */
export async function* readForm(
  body: ReadableStream<Uint8Array>,
  boundary: string,
): AsyncGenerator<FormPart, void> {
  const pieces = body[Symbol.asyncIterator]();
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first boundary may open the body, where no line ends before it.
  let rest: Buffer = Buffer.from("\r\n");

  async function more(): Promise<void> {
    const next = await pieces.next();
    if (next.done) throw invalidUpload("it is cut off");
    const piece = next.value;
    const view = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    rest = rest.length === 0 ? view : Buffer.concat([rest, view]);
  }

  /** The bytes up to the next boundary, which is taken away. */
  async function* untilBoundary(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const at = rest.indexOf(delimiter);
      if (at >= 0) {
        const last = rest.subarray(0, at);
        rest = rest.subarray(at + delimiter.length);
        if (last.length > 0) yield last;
        return;
      }
      // The end of what is there may be the beginning of a boundary.
      const safe = rest.length - delimiter.length + 1;
      if (safe > 0) {
        const piece = rest.subarray(0, safe);
        rest = rest.subarray(safe);
        yield piece;
      }
      await more();
    }
  }

  /** The text up to an end mark, which is taken away. */
  async function textUntil(mark: string): Promise<string> {
    for (;;) {
      const at = rest.indexOf(mark);
      if (at > MAX_HEADER_BYTES || (at < 0 && rest.length > MAX_HEADER_BYTES)) {
        throw invalidUpload("a part's header is too long");
      }
      if (at >= 0) {
        const text = rest.subarray(0, at).toString("utf8");
        rest = rest.subarray(at + mark.length);
        return text;
      }
      await more();
    }
  }

  try {
    for await (const _preamble of untilBoundary()) { /* RFC 2046: not shown to anyone */ }
    for (let parts = 0;; parts++) {
      while (rest.length < 2) await more();
      if (rest.subarray(0, 2).toString("latin1") === "--") return;
      if (parts >= MAX_PARTS) throw invalidUpload(`it has more than ${MAX_PARTS} parts`);
      if ((await textUntil("\r\n")).trim() !== "") throw invalidUpload("a boundary is malformed");
      const header = parseHeader(await textUntil("\r\n\r\n"));
      const bytes = untilBoundary();
      yield { ...header, body: bytes };
      for await (const _unread of bytes) { /* so that the next part begins behind it */ }
    }
  } finally {
    await pieces.return?.();
  }
}

function parseHeader(text: string): Omit<FormPart, "body"> {
  const lines = text.split("\r\n");
  const field = (name: string) =>
    lines.find((line) => line.toLowerCase().startsWith(`${name}:`))?.slice(name.length + 1).trim();
  const disposition = field("content-disposition") ?? "";
  const name = parameter(disposition, "name");
  if (!/^form-data\s*;/i.test(disposition) || name === undefined) {
    throw invalidUpload("a part has no name");
  }
  return { name, filename: parameter(disposition, "filename"), mediaType: field("content-type") };
}

/** A parameter of a header; browsers write quotes and line ends in it as `%22`, `%0D`, `%0A`. */
function parameter(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;"]+))`, "i").exec(
    header,
  );
  const value = match?.[1]?.replaceAll('\\"', '"') ?? match?.[2];
  return value?.replaceAll(/%(22|0d|0a)/gi, (code) => decodeURIComponent(code));
}

function invalidUpload(why: string): CarrelError {
  return new CarrelError("invalid_upload", `Cannot read the upload: ${why}.`);
}
