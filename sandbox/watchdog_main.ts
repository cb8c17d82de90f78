/**
 * Watches runners from a process of its own: reads their memory and processor time and kills at the
 * limit. Lines in, on stdin: `watch <pid> <memory bytes> <cpu seconds> <disk bytes> <bytes of its cgroup, 0 for none>`,
 * `rearm <pid> <cpu seconds>`, `unwatch <pid>`, `cgroups`. Lines out: `ready`,
 * `killed <pid> <memory|cpu|disk> <figure>`, `unwatched <pid>`, `cgroups <works|absent> <reason>`. A kill by the
 * system in a cgroup is told when the process is no longer watched. When stdin ends the host is gone, and so
 * is, a moment later, every runner.
 */
import { type CgroupHome, findCgroupHome } from "./cgroup.ts";
import { killTree } from "./kill_tree.ts";
import { createGroups } from "./watchdog_groups.ts";
import { createReader, type Usage } from "./watchdog_usage.ts";

const EVERY_MS = 50;

interface Watched {
  memory: number;
  disk: number;
  /** Processor seconds at which it is killed, counted as `Usage.cpu`. */
  cpuEnd: number;
  cpuBudget: number;
  /** Tells the process from a later one with the same id. */
  start: string;
}

const reader = createReader();
const groups = createGroups();
let home: CgroupHome | { readonly reason: string } | undefined;
const watched = new Map<number, Watched>();
let timer: ReturnType<typeof setInterval> | undefined;
const encoder = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(encoder.encode(line + "\n"));
}

function kill(pid: number, tree: readonly number[]): void {
  killTree(pid);
  for (const each of tree) {
    try {
      Deno.kill(each, "SIGKILL");
    } catch {
      // gone already
    }
  }
}

function over(usage: Usage, limits: Watched): string | undefined {
  if (usage.memory > limits.memory) return `memory ${usage.memory}`;
  if (usage.cpu > limits.cpuEnd) {
    return `cpu ${(usage.cpu - limits.cpuEnd + limits.cpuBudget).toFixed(2)}`;
  }
  if (usage.disk > limits.disk) return `disk ${usage.disk}`;
  return undefined;
}

function poll(): void {
  const usages = reader.read([...watched.keys()]);
  for (const [pid, limits] of watched) {
    const usage = usages.get(pid);
    if (usage === undefined || usage.start !== limits.start) continue;
    const reason = over(usage, limits);
    if (reason === undefined) {
      groups.look(pid, usage.tree);
      continue;
    }
    kill(pid, usage.tree);
    watched.delete(pid);
    groups.forget(pid);
    say(`killed ${pid} ${reason}`);
  }
  groups.tidy();
  schedule();
}

function schedule(): void {
  if (watched.size > 0 || groups.leaving > 0) timer ??= setInterval(poll, EVERY_MS);
  else if (timer !== undefined) {
    clearInterval(timer);
    timer = undefined;
  }
}

function obey(line: string): void {
  const [verb, ...rest] = line.split(" ");
  const [pid = NaN, ...numbers] = rest.map(Number);
  switch (verb) {
    case "watch": {
      const [memory = 0, cpuBudget = 0, disk = 0, cgroup = 0] = numbers;
      const usage = reader.read([pid]).get(pid);
      // A process that is gone needs no watching.
      if (usage) {
        watched.set(pid, {
          memory,
          disk,
          cpuBudget,
          cpuEnd: usage.cpu + cpuBudget,
          start: usage.start,
        });
        if (cgroup > 0 && home && "version" in home) groups.watch(pid, home, cgroup);
      }
      break;
    }
    case "rearm": {
      const limits = watched.get(pid);
      const usage = limits && reader.read([pid]).get(pid);
      if (limits && usage) {
        limits.cpuBudget = numbers[0] ?? limits.cpuBudget;
        limits.cpuEnd = usage.cpu + limits.cpuBudget;
      }
      break;
    }
    case "cgroups":
      home ??= findCgroupHome();
      say(
        "version" in home
          ? `cgroups works version ${home.version}, in ${home.folder}`
          : `cgroups absent no group can be made: ${home.reason.replaceAll("\n", " ")}`,
      );
      return;
    case "unwatch":
      if (watched.delete(pid)) {
        const peak = groups.forget(pid);
        if (peak !== undefined) say(`killed ${pid} memory ${peak}`);
      }
      say(`unwatched ${pid}`);
      break;
  }
  schedule();
}

say("ready");
let rest = "";
const decoder = new TextDecoder();
try {
  for await (const chunk of Deno.stdin.readable) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(obey);
  }
} finally {
  const usages = reader.read([...watched.keys()]);
  for (const [pid, { start }] of watched) {
    const usage = usages.get(pid);
    if (usage?.start === start) kill(pid, usage.tree);
  }
  Deno.exit(0);
}
