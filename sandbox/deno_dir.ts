/** The `DENO_DIR` of a plugin version: its code cache, and nothing that a plugin can use. */

/** What a file or a folder takes beside its bytes: many empty ones fill a disk too. */
const ENTRY_BYTES = 4096;

/** Makes the folder; one that has grown larger than `cap` bytes is made anew. */
export async function makeDenoDir(path: string, cap: number): Promise<void> {
  try {
    if (await isLarger(path, cap)) await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(path, { recursive: true });
  // Deno keeps `caches` and `localStorage` in a folder of this name. With a file in its place a plugin
  // has neither: they would carry data from job to job, and fill the disk.
  await Deno.writeTextFile(`${path}/location_data`, "");
}

/** Whether a folder holds more than so many bytes; looks at no more of it than it takes to know. */
export async function isLarger(path: string, bytes: number): Promise<boolean> {
  const folders = [path];
  let size = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      const each = `${folder}/${name}`;
      // Deno itself makes and removes files in it at any time.
      size += ENTRY_BYTES + (isDirectory ? 0 : await sizeOf(each));
      if (size > bytes) return true;
      if (isDirectory) folders.push(each);
    }
  }
  return false;
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.lstat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
