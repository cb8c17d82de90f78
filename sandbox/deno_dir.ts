/** The `DENO_DIR` of a plugin version: its code cache, and nothing that a plugin can use. */

/** Bytes of a `DENO_DIR` from which on it is made anew. */
const DENO_DIR_CAP = 64 * 1024 * 1024;

/** Makes the folder; one that has grown too large is made anew. */
export async function makeDenoDir(path: string): Promise<void> {
  let size = 0;
  try {
    for await (const { name } of Deno.readDir(path)) {
      size += (await Deno.lstat(`${path}/${name}`)).size;
    }
    if (size > DENO_DIR_CAP) await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(path, { recursive: true });
  // Deno keeps `caches` and `localStorage` in a folder of this name. With a file in its place a plugin
  // has neither: they would carry data from job to job, and fill the disk.
  await Deno.writeTextFile(`${path}/location_data`, "");
}
