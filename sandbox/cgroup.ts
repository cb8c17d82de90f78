/**
 * A memory cgroup for each runner, version 1 or 2, where this process may make some: a backstop behind the
 * watchdog, which looks only every 50 ms. It is the watchdog's process that uses this: Deno lets only those that
 * may do everything read below /proc and /sys.
 */

export interface CgroupHome {
  readonly version: 1 | 2;
  /** The folder in which groups are made. */
  readonly folder: string;
}

export interface Cgroup {
  /**
   * Moves a process in; the memory that it holds by then is not counted. Takes some 10 ms, which the kernel
   * waits: not on the way to the first answer.
   */
  join(pid: number): Promise<void>;
  /** Whether the kernel killed something in it for want of memory. */
  killed(): boolean;
  /** The most that was used, bytes; 0 where the kernel does not say. */
  peak(): number;
  /** Says whether it could be removed: not while a process is in it. */
  remove(): boolean;
}

/** Where groups can be made, tried by making one; else why not. */
export function findCgroupHome(): CgroupHome | { readonly reason: string } {
  if (Deno.build.os !== "linux") return { reason: "only Linux has it" };
  const reasons: string[] = [];
  for (const home of candidates()) {
    const reason = tryHome(home);
    if (reason === undefined) return home;
    reasons.push(`v${home.version} ${home.folder}: ${reason}`);
  }
  return { reason: reasons.join("; ") || "no memory controller is mounted" };
}

function candidates(): CgroupHome[] {
  const own = read("/proc/self/cgroup");
  const v1 = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(own)?.[1];
  const v2 = /^0::(.*)$/m.exec(own)?.[1];
  const homes: CgroupHome[] = [];
  const add = (version: 1 | 2, base: string, path: string) => {
    // A group with processes in it may have no groups with limits below it (v2): its parent may.
    for (const folder of [base + path, base + path.replace(/\/[^/]*$/, ""), base]) {
      const plain = folder.replace(/\/+$/, "");
      if (isFolder(plain) && !homes.some((home) => home.folder === plain)) {
        homes.push({ version, folder: plain });
      }
    }
  };
  if (v1 !== undefined) add(1, "/sys/fs/cgroup/memory", v1);
  if (v2 !== undefined) {
    for (const base of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
      const controllers = read(`${base}/cgroup.controllers`);
      if (/\bmemory\b/.test(controllers)) add(2, base, v2);
    }
  }
  return homes;
}

function tryHome(home: CgroupHome): string | undefined {
  try {
    removeLeftovers(home);
    const group = makeCgroup(home, 1024 * 1024 * 1024);
    group.remove();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

let made = 0;

/** Throws what the file system says. */
export function makeCgroup({ version, folder }: CgroupHome, bytes: number): Cgroup {
  const path = `${folder}/carrel-${Deno.pid}-${made++}`;
  const remove = () => {
    try {
      Deno.removeSync(path);
      return true;
    } catch (error) {
      return error instanceof Deno.errors.NotFound;
    }
  };
  if (version === 2 && !/\bmemory\b/.test(read(`${folder}/cgroup.subtree_control`))) {
    write(`${folder}/cgroup.subtree_control`, "+memory");
  }
  Deno.mkdirSync(path);
  try {
    if (version === 2) {
      write(`${path}/memory.max`, String(bytes));
      if (isThere(`${path}/memory.swap.max`)) write(`${path}/memory.swap.max`, "0");
      if (isThere(`${path}/memory.oom.group`)) write(`${path}/memory.oom.group`, "1");
    } else {
      write(`${path}/memory.limit_in_bytes`, String(bytes));
    }
  } catch (error) {
    remove();
    throw error;
  }
  const [events, peak] = version === 2
    ? ["memory.events", "memory.peak"]
    : ["memory.oom_control", "memory.max_usage_in_bytes"];
  return {
    join: (pid) => Deno.writeTextFile(`${path}/cgroup.procs`, String(pid), { create: false }),
    killed: () => Number(/^oom_kill (\d+)/m.exec(read(`${path}/${events}`))?.[1] ?? 0) > 0,
    peak: () => Number(read(`${path}/${peak}`)) || 0,
    remove,
  };
}

/** Groups of hosts that are gone. One that is in use cannot be removed. */
function removeLeftovers({ folder }: CgroupHome): void {
  for (const { name } of Deno.readDirSync(folder)) {
    const pid = /^carrel-(\d+)-\d+$/.exec(name)?.[1];
    if (pid === undefined || isThere(`/proc/${pid}`)) continue;
    try {
      Deno.removeSync(`${folder}/${name}`);
    } catch {
      // in use
    }
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** Without making the file: the kernel has it or not. */
function write(path: string, text: string): void {
  Deno.writeTextFileSync(path, text, { create: false });
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
