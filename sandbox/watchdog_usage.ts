/** What a process tree uses: from /proc on Linux, from `ps` elsewhere (macOS: written, never tried). */

export interface Usage {
  /** Anonymous and shared resident memory, bytes. File-backed pages are not the plugin's fault. */
  readonly memory: number;
  /** Processor time of the tree, seconds. */
  readonly cpu: number;
  /** Bytes that the tree caused to be written to disk; 0 where it cannot be known. */
  readonly disk: number;
  /** When the process was started, in whatever unit: equal for the same process only. */
  readonly start: string;
  /** Its children, theirs included. */
  readonly tree: readonly number[];
}

export interface UsageReader {
  /** Those of `pids` that live. */
  read(pids: readonly number[]): Map<number, Usage>;
}

/** Ticks a second in /proc/<pid>/stat: the ABI's USER_HZ, 100 on every Linux that Deno runs on. */
const TICKS = 100;
/** A tree is looked up anew every so many reads: few runners are allowed to have children. */
const TREE_EVERY = 5;
/** And at each of the first reads: under bwrap the runner itself is a child that is yet to come. */
const TREE_FIRST = 20;

/** @param os The system to read; the one we are on if left out. */
export function createReader(os: typeof Deno.build.os = Deno.build.os): UsageReader {
  return os === "linux" ? procReader() : psReader();
}

function procReader(): UsageReader {
  const trees = new Map<number, { tree: number[]; age: number; looks: number }>();

  function treeOf(pid: number): number[] {
    const known = trees.get(pid);
    if (known && known.age < TREE_EVERY) {
      known.age++;
      return known.tree;
    }
    const tree = descendants(pid);
    const looks = (known?.looks ?? 0) + 1;
    trees.set(pid, { tree, age: looks < TREE_FIRST ? TREE_EVERY : 1, looks });
    return tree;
  }

  return {
    read(pids) {
      const usages = new Map<number, Usage>();
      for (const pid of pids) {
        const own = readProcess(pid);
        if (own === undefined) {
          trees.delete(pid);
          continue;
        }
        const tree = treeOf(pid);
        let { memory, cpu, disk } = own;
        for (const child of tree) {
          const usage = readProcess(child);
          memory += usage?.memory ?? 0;
          cpu += usage?.cpu ?? 0;
          disk += usage?.disk ?? 0;
        }
        usages.set(pid, { memory, cpu, disk, start: own.start, tree });
      }
      for (const pid of trees.keys()) if (!pids.includes(pid) && pids.length > 1) trees.delete(pid);
      return usages;
    },
  };
}

function readProcess(pid: number) {
  const stat = tryRead(`/proc/${pid}/stat`);
  const status = stat && tryRead(`/proc/${pid}/status`);
  if (!stat || !status) return undefined;
  // The name in parentheses may hold anything: fields are counted from behind it. proc(5).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const kib = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const io = tryRead(`/proc/${pid}/io`);
  // Its own time, and that of children which have ended: many short ones count like a long one.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return {
    memory: (kib("RssAnon") + kib("RssShmem")) * 1024,
    cpu: ticks / TICKS,
    disk: Number(/^write_bytes: (\d+)/m.exec(io ?? "")?.[1] ?? 0),
    start: fields[19] ?? "",
  };
}

/** The processes below one, at any depth. */
export function descendants(pid: number): number[] {
  const found: number[] = [];
  const todo = [pid];
  for (let next = todo.pop(); next !== undefined && found.length < 1000; next = todo.pop()) {
    for (const thread of listDir(`/proc/${next}/task`)) {
      const children = tryRead(`/proc/${next}/task/${thread}/children`)?.trim();
      if (!children) continue;
      for (const child of children.split(" ").map(Number)) {
        found.push(child);
        todo.push(child);
      }
    }
  }
  return found;
}

function tryRead(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

function listDir(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** `ps` knows resident memory only as a whole; a runner's file-backed pages are about 35 MB of it. */
const PS_FILE_BACKED = 35 * 1024 * 1024;

function psReader(): UsageReader {
  return {
    read(pids) {
      if (pids.length === 0) return new Map();
      const { stdout } = new Deno.Command("ps", {
        args: ["-o", "pid=,rss=,time=,lstart=", "-p", pids.join(",")],
        stdin: "null",
        stderr: "null",
      }).outputSync();
      return parsePs(new TextDecoder().decode(stdout));
    },
  };
}

/** Lines of `ps -o pid=,rss=,time=,lstart=`: rss in KiB, time as `[[dd-]hh:]mm:ss[.cc]`. */
export function parsePs(text: string): Map<number, Usage> {
  const usages = new Map<number, Usage>();
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(?:(\d+)-)?([\d:.]+)\s+(.+?)\s*$/.exec(line);
    if (!match) continue;
    const [, pid, rss, days = "0", time = "", start = ""] = match;
    const seconds = time.split(":").reduce((sum, field) => sum * 60 + Number(field), 0);
    usages.set(Number(pid), {
      memory: Math.max(0, Number(rss) * 1024 - PS_FILE_BACKED),
      cpu: Number(days) * 86_400 + seconds,
      disk: 0,
      start,
      tree: [],
    });
  }
  return usages;
}
