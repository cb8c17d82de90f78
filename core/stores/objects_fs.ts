/**
 * The objects port on a folder: `ab/cdef…` by the SHA-256 of the bytes. A blob is written to `tmp/`,
 * fsynced, renamed, and its folder fsynced, so that a name always stands for whole bytes.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { CarrelError } from "../errors.ts";
import type { Blob, ByteRange, ObjectStore } from "./objects.ts";
import { asStorageError, storing } from "./storage_full.ts";

const DIGEST = /^[0-9a-f]{64}$/;
const PIECE = 64 * 1024;

/**
 * Opens the folder, made if it is missing. What a crashed writer left in `tmp/` is removed: the caller holds
 * the lock of the data folder, so nobody else can be writing. This and `put` throw `storage_full` when the disk
 * takes no more.
 */
export async function openObjectsFs(dir: string): Promise<ObjectStore> {
  const tmp = join(dir, "tmp");
  await storing(async () => {
    await Deno.remove(tmp, { recursive: true }).catch(ignoreMissing);
    await Deno.mkdir(tmp, { recursive: true });
  });
  const folderOf = (digest: string) => join(dir, digest.slice(0, 2));
  const pathOf = (digest: string) => join(folderOf(digest), digest.slice(2));

  /** Folders whose own names are known to be on disk. */
  const durable = new Set<string>();

  async function place(written: string, digest: string): Promise<void> {
    const folder = folderOf(digest);
    if (!durable.has(folder)) {
      await Deno.mkdir(folder, { recursive: true });
      await syncFolder(dir);
      durable.add(folder);
    }
    if (await sizeOf(pathOf(digest)) === undefined) await Deno.rename(written, pathOf(digest));
    else await Deno.remove(written);
    // Also when the name was there: another writer may have renamed and not synced yet.
    await syncFolder(folder);
  }

  const missing = (digest: string) =>
    new CarrelError("not_found", `Cannot read the blob "${digest}": it is not in the store`);

  async function openFile(digest: string): Promise<Deno.FsFile> {
    if (!DIGEST.test(digest)) throw missing(digest);
    try {
      return await Deno.open(pathOf(digest), { read: true });
    } catch (error) {
      throw error instanceof Deno.errors.NotFound ? missing(digest) : error;
    }
  }

  const store: ObjectStore = {
    async put(bytes) {
      const path = join(tmp, crypto.randomUUID());
      try {
        const blob = await writeHashed(path, bytes);
        await place(path, blob.digest);
        return blob;
      } catch (error) {
        await Deno.remove(path).catch(ignoreMissing);
        throw asStorageError(error);
      }
    },
    async get(digest) {
      using file = await openFile(digest);
      const { size } = await file.stat();
      const bytes = new Uint8Array(size);
      for (let read = 0; read < size;) {
        const count = await file.read(bytes.subarray(read));
        if (count === null) throw missing(digest);
        read += count;
      }
      return bytes;
    },
    async open(digest, range) {
      const file = await openFile(digest);
      try {
        const { size } = await file.stat();
        return readRange(file, clamp(range, size));
      } catch (error) {
        file.close();
        throw error;
      }
    },
    async stat(digest) {
      const size = DIGEST.test(digest) ? await sizeOf(pathOf(digest)) : undefined;
      return size === undefined ? undefined : { digest, size };
    },
    async delete(digest) {
      if (DIGEST.test(digest)) await Deno.remove(pathOf(digest)).catch(ignoreMissing);
    },
    async *list() {
      for await (const folder of Deno.readDir(dir)) {
        if (!folder.isDirectory || !/^[0-9a-f]{2}$/.test(folder.name)) continue;
        for await (const file of Deno.readDir(join(dir, folder.name))) {
          const blob = await store.stat(folder.name + file.name);
          if (blob !== undefined) yield blob;
        }
      }
    },
  };
  return store;
}

async function writeHashed(
  path: string,
  bytes: Uint8Array | ReadableStream<Uint8Array>,
): Promise<Blob> {
  const hash = createHash("sha256");
  let size = 0;
  using file = await Deno.open(path, { write: true, createNew: true });
  const write = async (piece: Uint8Array) => {
    hash.update(piece);
    size += piece.length;
    for (let done = 0; done < piece.length;) done += await file.write(piece.subarray(done));
  };
  if (bytes instanceof Uint8Array) await write(bytes);
  else for await (const piece of bytes) await write(piece);
  await file.sync();
  return { digest: hash.digest("hex"), size };
}

function clamp(range: ByteRange | undefined, size: number): ByteRange {
  const start = Math.min(Math.max(range?.start ?? 0, 0), size);
  return { start, end: Math.min(Math.max(range?.end ?? size, start), size) };
}

/** The bytes of a range; the file is closed at their end, at a cancel and at an error. */
function readRange(file: Deno.FsFile, { start, end }: ByteRange): ReadableStream<Uint8Array> {
  let left = end - start;
  let placed = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        if (!placed) await file.seek(start, Deno.SeekMode.Start);
        placed = true;
        const piece = new Uint8Array(Math.min(PIECE, left));
        const count = left === 0 ? null : await file.read(piece);
        if (count !== null) {
          left -= count;
          controller.enqueue(piece.subarray(0, count));
        }
        if (count === null || left === 0) {
          file.close();
          controller.close();
        }
      } catch (error) {
        file.close();
        throw error;
      }
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

async function sizeOf(path: string): Promise<number | undefined> {
  const info = await Deno.stat(path).catch(ignoreMissing);
  return info?.isFile ? info.size : undefined;
}

async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path, { read: true });
  await folder.sync();
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
