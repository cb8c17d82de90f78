/** As much of Node's `fs.promises` as the git library needs, in memory: a guest has no disk. */

interface Stats {
  readonly type: "file" | "dir";
  readonly mode: number;
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

type Encoding = { encoding?: string } | string | undefined;

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function plain(path: string): string {
  return `/${path.split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}

export function createMemoryFs() {
  const files = new Map<string, Uint8Array>();
  const folders = new Map<string, Set<string>>([["/", new Set()]]);

  function folderOf(path: string): Set<string> {
    const folder = folders.get(parentOf(path));
    if (folder === undefined) throw failure("ENOENT", path);
    return folder;
  }
  const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

  async function stat(given: string): Promise<Stats> {
    const path = plain(given);
    const file = files.get(path);
    if (file === undefined && !folders.has(path)) throw failure("ENOENT", path);
    return {
      type: file === undefined ? "dir" : "file",
      mode: file === undefined ? 0o040755 : 0o100644,
      size: file?.length ?? 0,
      ino: 0,
      mtimeMs: 0,
      ctimeMs: 0,
      isFile: () => file !== undefined,
      isDirectory: () => file === undefined,
      isSymbolicLink: () => false,
    };
  }

  async function unlink(given: string): Promise<void> {
    const path = plain(given);
    if (!files.delete(path)) throw failure("ENOENT", path);
    folderOf(path).delete(nameOf(path));
  }

  const promises = {
    async readFile(given: string, options?: Encoding): Promise<Uint8Array | string> {
      const path = plain(given);
      const bytes = files.get(path);
      if (bytes === undefined) throw failure(folders.has(path) ? "EISDIR" : "ENOENT", path);
      const encoding = typeof options === "string" ? options : options?.encoding;
      return encoding === undefined ? bytes : new TextDecoder().decode(bytes);
    },
    async writeFile(given: string, data: Uint8Array | string): Promise<void> {
      const path = plain(given);
      folderOf(path).add(nameOf(path));
      files.set(path, typeof data === "string" ? new TextEncoder().encode(data) : data);
    },
    async mkdir(given: string): Promise<void> {
      const path = plain(given);
      if (folders.has(path) || files.has(path)) throw failure("EEXIST", path);
      folderOf(path).add(nameOf(path));
      folders.set(path, new Set());
    },
    async rmdir(given: string): Promise<void> {
      const path = plain(given);
      if ((folders.get(path)?.size ?? 0) > 0) throw failure("ENOTEMPTY", path);
      if (!folders.delete(path)) throw failure("ENOENT", path);
      folderOf(path).delete(nameOf(path));
    },
    async readdir(given: string): Promise<string[]> {
      const names = folders.get(plain(given));
      if (names === undefined) throw failure("ENOENT", given);
      return [...names].sort();
    },
    unlink,
    stat,
    lstat: stat,
    readlink: (path: string) => Promise.reject(failure("EINVAL", path)),
    symlink: (path: string) => Promise.reject(failure("EPERM", path)),
  };
  return { promises };
}
