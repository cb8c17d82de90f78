/** Text made of bytes, and how. */
export interface DecodedText {
  /** Without a byte order mark. */
  readonly text: string;
  /** The encoding it was read in, by its WHATWG name, for example `utf-8`. */
  readonly encoding: string;
  /** What a reader should know, for example that the declared encoding was wrong. One sentence. */
  readonly warning?: string | undefined;
}

/**
 * Decodes text as its bytes are, whatever was declared: a byte order mark wins, then valid UTF-8 with
 * characters beyond ASCII, then the first declared label that fits, then windows-1252 (which fits
 * anything).
 *
 * `labels` are the encodings that headers or the text itself name, the most trusted first; unknown
 * ones are passed over.
 */
export function decodeText(
  bytes: Uint8Array,
  labels: readonly (string | undefined)[] = [],
): DecodedText {
  const marked = byteOrderMark(bytes) ?? unmarkedUtf16(bytes);
  if (marked !== undefined) {
    return { text: new TextDecoder(marked).decode(bytes), encoding: marked };
  }
  const declared = knownLabels(labels);
  const utf8 = decodeFatally(bytes, "utf-8");
  if (utf8 !== undefined) {
    // Single-byte text with accents is next to never valid UTF-8. Stateful encodings are plain ASCII.
    const first = declared[0];
    if (first === "iso-2022-jp" && utf8.includes("\x1b")) return decodeDeclared(bytes, declared);
    if (first === undefined || first === "utf-8" || utf8.length === bytes.length) {
      return { text: utf8, encoding: "utf-8" };
    }
    return {
      text: utf8,
      encoding: "utf-8",
      warning: `The encoding was declared as ${first} but the text is UTF-8.`,
    };
  }
  return decodeDeclared(bytes, declared);
}

/** The `charset` parameter of a media type. */
export function charsetOf(mediaType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(mediaType)?.[1];
}

/** How much of the bytes `looksBinary` looks at. */
const PROBE = 64 * 1024;

/** Whether bytes are no text in any encoding: they hold zeros or many control codes. */
export function looksBinary(bytes: Uint8Array): boolean {
  if (byteOrderMark(bytes) !== undefined || unmarkedUtf16(bytes) !== undefined) return false;
  const head = bytes.subarray(0, PROBE);
  let controls = 0;
  for (const byte of head) {
    if (byte === 0) return true;
    // Tab, line feed, form feed, carriage return and escape do stand in texts.
    if (byte < 32 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13 && byte !== 27) {
      controls++;
    }
  }
  return controls > head.length / 100;
}

/** For bytes that are not valid UTF-8. */
function decodeDeclared(bytes: Uint8Array, declared: readonly string[]): DecodedText {
  for (const label of declared) {
    if (label === "utf-8") continue;
    const text = decodeFatally(bytes, label);
    if (text === undefined) continue;
    return declared[0] === label ? { text, encoding: label } : {
      text,
      encoding: label,
      warning: `The encoding was declared as ${declared[0]} but the text is ${label}.`,
    };
  }
  const first = declared[0];
  // A few bad bytes in much good UTF-8 are damage, not another encoding.
  const lenient = new TextDecoder("utf-8").decode(bytes);
  const bad = count(lenient, /\uFFFD/g);
  const good = count(lenient, /[^\p{ASCII}\uFFFD]/gu);
  if (good > bad * 4) {
    return {
      text: lenient,
      encoding: "utf-8",
      warning: `The text is UTF-8 with ${bad} damaged character${bad === 1 ? "" : "s"}.`,
    };
  }
  if (first !== undefined && first !== "utf-8") {
    const text = new TextDecoder(first).decode(bytes);
    return {
      text,
      encoding: first,
      warning: `Some of the text is not valid in its declared encoding ${first}.`,
    };
  }
  return {
    text: new TextDecoder("windows-1252").decode(bytes),
    encoding: "windows-1252",
    warning: first === undefined
      ? "The encoding was not declared and the text is not UTF-8; it was read as windows-1252."
      : `The encoding was declared as ${first} but the text is not; it was read as windows-1252.`,
  };
}

function knownLabels(labels: readonly (string | undefined)[]): string[] {
  const known: string[] = [];
  for (const label of labels) {
    if (label === undefined) continue;
    try {
      const { encoding } = new TextDecoder(label.trim());
      if (!known.includes(encoding)) known.push(encoding);
    } catch {
      // Not an encoding that anything knows.
    }
  }
  return known;
}

function decodeFatally(bytes: Uint8Array, label: string): string | undefined {
  try {
    return new TextDecoder(label, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function byteOrderMark(bytes: Uint8Array): string | undefined {
  if (bytes[0] === 0xEF && bytes[1] === 0xBB && bytes[2] === 0xBF) return "utf-8";
  if (bytes[0] === 0xFF && bytes[1] === 0xFE) return "utf-16le";
  if (bytes[0] === 0xFE && bytes[1] === 0xFF) return "utf-16be";
  return undefined;
}

/** UTF-16 without a mark, as far as it is mostly ASCII: every other byte is zero. */
function unmarkedUtf16(bytes: Uint8Array): string | undefined {
  const pairs = Math.min(bytes.length, 512) >> 1;
  if (pairs < 8 || bytes.length % 2 !== 0) return undefined;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < pairs; i++) {
    if (bytes[2 * i] === 0) even++;
    if (bytes[2 * i + 1] === 0) odd++;
  }
  if (odd > pairs * 0.8 && even === 0) return "utf-16le";
  if (even > pairs * 0.8 && odd === 0) return "utf-16be";
  return undefined;
}

function count(text: string, pattern: RegExp): number {
  let n = 0;
  for (const _ of text.matchAll(pattern)) n++;
  return n;
}
