/** Bytes that are read before it is known what becomes of them: small ones in memory, large ones in a file. */
import { join } from "node:path";

export interface Spooled {
  readonly size: number;
  /** The bytes; a stream if they lie in a file. */
  open(): Promise<Uint8Array | ReadableStream<Uint8Array>>;
}

/** A place for spooled bytes. Disposing it removes its files. */
export interface Spool extends AsyncDisposable {
  add(bytes: AsyncIterable<Uint8Array>): Promise<Spooled>;
}

/** @param memoryBytes What is no larger than this is kept in memory. */
export function createSpool(memoryBytes = 1024 * 1024): Spool {
  let folder: string | undefined;
  let files = 0;

  return {
    async add(bytes) {
      const held: Uint8Array[] = [];
      let size = 0;
      let path: string | undefined;
      let file: Deno.FsFile | undefined;
      try {
        for await (const piece of bytes) {
          size += piece.byteLength;
          held.push(piece);
          if (size <= memoryBytes) continue;
          if (file === undefined) {
            folder ??= await Deno.makeTempDir({ prefix: "carrel-upload-" });
            path = join(folder, String(files++));
            file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
          }
          for (const part of held.splice(0)) await writeAll(file, part);
        }
      } finally {
        file?.close();
      }
      const stored = path;
      if (stored === undefined) {
        const whole = new Uint8Array(await new Blob(held as BlobPart[]).arrayBuffer());
        return { size, open: () => Promise.resolve(whole) };
      }
      return { size, open: async () => (await Deno.open(stored)).readable };
    },
    async [Symbol.asyncDispose]() {
      if (folder !== undefined) await Deno.remove(folder, { recursive: true });
    },
  };
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength;) at += await file.write(bytes.subarray(at));
}
