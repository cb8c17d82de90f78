/** Keeps a library from other users of the machine, also where its folder was made by somebody else. */
import { join } from "node:path";

/** What the stores would make for all to read. SQLite gives the files beside a database the rights of that. */
const FILES = ["library.db", "queue.kv"].flatMap((name) => [name, `${name}-wal`, `${name}-shm`]);
const FOLDERS = ["objects", "plugins", "bundles", "runners"];

/**
 * Makes the data folder for its owner only, if it is new or empty: one that holds other things may be meant for
 * others too. To be called before anything is written there.
 */
export async function makePrivateFolder(data: string): Promise<void> {
  await Deno.mkdir(data, { recursive: true, mode: 0o700 });
  // Whoever looked for a host has left the lock.
  for await (const { name } of Deno.readDir(data)) if (name !== "lock") return;
  await tighten(data, 0o700);
}

/** The same for the library's own files and folders in it, the databases made empty where they are missing. */
export async function makePrivateFiles(data: string): Promise<void> {
  for (const name of ["library.db", "queue.kv"]) {
    (await Deno.open(join(data, name), { write: true, create: true, mode: 0o600 })).close();
  }
  await Deno.mkdir(join(data, "objects"), { recursive: true, mode: 0o700 });
  for (const name of FILES) await tighten(join(data, name), 0o600);
  for (const name of FOLDERS) await tighten(join(data, name), 0o700);
}

/** Somebody else's files stay as they are, and where there are no such rights there is nothing to do. */
async function tighten(path: string, mode: number): Promise<void> {
  await Deno.chmod(path, mode).catch(() => {});
}
