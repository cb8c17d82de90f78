/** Puts a file of the library on the disk: whole or not at all. */
import { basename, dirname, join } from "node:path";
import { CliError, interruptedError, usageError } from "./errors.ts";
import type { Client } from "./client.ts";
import { shellWord } from "./format.ts";

export interface DownloadOptions {
  /** Write over a file that is there. @default false */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes written, and how many there will be, if the server says so. */
  readonly onBytes?: ((written: number, size: number | undefined) => void) | undefined;
}

/** A file name that stays where it is put: the last part, without what a file system minds. */
export function safeName(name: string): string {
  // deno-lint-ignore no-control-regex
  const safe = basename(name.replaceAll("\\", "/")).replaceAll(/[\u0000-\u001f/:*?"<>|]/g, "_");
  return safe === "" || safe === "." || safe === ".." ? "file" : safe;
}

/** Throws `file_exists` when there is a file that must not be written over. */
export async function mustBeFree(path: string, force: boolean | undefined): Promise<void> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (info?.isDirectory) throw usageError(`Cannot write "${path}": it is a folder.`);
  if (info && !force) {
    throw new CliError("file_exists", `Cannot write "${path}": there is a file of that name.`, {
      hint: "Name another one with -o, or write over it with --force.",
    });
  }
}

/** Throws when no file can be made in a folder. */
export async function mustBeWritable(folder: string): Promise<void> {
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: folder, prefix: ".carrel-" }));
  } catch (error) {
    throw notWritten(folder, folder, error);
  }
}

function notWritten(path: string, folder: string, error: unknown): CliError {
  const none = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
  const why = none
    ? `there is no folder "${folder}"`
    : error instanceof Deno.errors.PermissionDenied
    ? `you may not write in "${folder}"`
    : (error as Error).message;
  return new CliError("write_failed", `Cannot save to "${path}": ${why}.`, {
    cause: error,
    hint: none ? `Make it first: mkdir -p ${shellWord(folder)}` : "Name another place with -o.",
  });
}

/** Streams a file of a content or an artifact to `path`, through a file beside it. Returns its size. */
export async function download(
  client: Client,
  owner: string,
  name: string,
  path: string,
  options: DownloadOptions = {},
): Promise<number> {
  await mustBeFree(path, options.force);
  const { stream, size } = await client.file(owner, name, options.signal);
  const part = join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.part`);
  let written = 0;
  try {
    const file = await Deno.open(part, { write: true, createNew: true });
    const counted = stream.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, out) {
          written += piece.length;
          options.onBytes?.(written, size);
          out.enqueue(piece);
        },
      }),
    );
    await counted.pipeTo(file.writable);
    if (size !== undefined && written !== size) {
      throw new CliError("cut_off", `Cannot save "${path}": ${written} of ${size} bytes came.`, {
        hint: "Try again.",
      });
    }
    await Deno.rename(part, path);
    return written;
  } catch (error) {
    await stream.cancel().catch(() => {});
    await Deno.remove(part).catch(() => {});
    if (options.signal?.aborted) throw interruptedError();
    if (error instanceof CliError) throw error;
    throw notWritten(path, dirname(path), error);
  }
}

/** Streams a file of a content or an artifact to a sink, for `-o -`. */
export async function downloadTo(
  client: Client,
  owner: string,
  name: string,
  write: (piece: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { stream } = await client.file(owner, name, signal);
  for await (const piece of stream) write(piece);
}
