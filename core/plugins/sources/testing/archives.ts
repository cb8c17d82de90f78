/** For tests: archives made byte by byte, the hostile ones among them. */

export async function gzip(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()
    .pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export interface TarEntry {
  readonly path?: string;
  readonly text?: string | Uint8Array;
  readonly type?: string;
  readonly link?: string;
  /** Said in the header instead of the true one. */
  readonly size?: number;
  /** Put into the header as they are. */
  readonly raw?: Readonly<Record<number, Uint8Array>>;
  readonly badSum?: boolean;
}

const encoder = new TextEncoder();

/** A tar archive; hostile ones are made by the fields of an entry. */
export function tar(entries: readonly TarEntry[], end = true): Uint8Array<ArrayBuffer> {
  const blocks: Uint8Array[] = [];
  for (const entry of entries) {
    const body = typeof entry.text === "string" ? encoder.encode(entry.text) : entry.text ??
      new Uint8Array();
    const header = new Uint8Array(512);
    const put = (at: number, text: string | Uint8Array) =>
      header.set(typeof text === "string" ? encoder.encode(text) : text, at);
    put(0, entry.path ?? "file");
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, `${(entry.size ?? body.length).toString(8).padStart(11, "0")}\0`);
    put(136, "00000000000\0");
    put(156, entry.type ?? "0");
    put(157, entry.link ?? "");
    put(257, "ustar\x0000");
    for (const [at, bytes] of Object.entries(entry.raw ?? {})) put(Number(at), bytes);
    put(148, "        ");
    const sum = header.reduce((sum, byte) => sum + byte, 0) + (entry.badSum ? 1 : 0);
    put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
    blocks.push(header, body, new Uint8Array((512 - body.length % 512) % 512));
  }
  if (end) blocks.push(new Uint8Array(1024));
  return concat(blocks);
}

export function concat(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
