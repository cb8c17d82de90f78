/**
 * The host's side of the watchdog: starts it with the first runner, starts it again if it dies, tells
 * it whom to watch. See `docs/decisions/001-watchdog-process.md`.
 */

import type { Barrier } from "./barriers.ts";

export interface WatchLimits {
  /** Bytes at which the process is killed. */
  readonly memory: number;
  /** Processor seconds from now, and from each `rearm`. */
  readonly cpu: number;
  /** Bytes written to disk. */
  readonly disk: number;
  /** Bytes of memory at which the system kills it, by a cgroup. @default none is made */
  readonly cgroup?: number | undefined;
}

/** A kill, with the figure that was over its limit: bytes or seconds. */
export interface Kill {
  readonly what: "memory" | "cpu" | "disk";
  readonly figure: number;
}

export interface Watch {
  /** Gives the process its processor seconds anew. */
  rearm(): void;
  /** Ends the watching; the kill, if there was one: none can follow. */
  stop(): Promise<Kill | undefined>;
}

export interface Watchdog extends AsyncDisposable {
  /** Resolves when it watches. Throws if it cannot be started. */
  ready(): Promise<void>;
  /** Whether it can make memory cgroups. Throws if it cannot be started. */
  cgroups(): Promise<Barrier>;
  watch(pid: number, limits: WatchLimits, onKill: (kill: Kill) => void): Watch;
  /** Its process, for tests. */
  readonly pid: number | undefined;
}

export interface WatchdogOptions {
  /** The `deno` executable. */
  readonly deno: string;
  /** The folder with `watchdog_main.ts`. */
  readonly assets: string;
  /** Its `DENO_DIR`. */
  readonly denoDir: string;
}

interface Entry {
  readonly limits: WatchLimits;
  readonly onKill: (kill: Kill) => void;
  kill: Kill | undefined;
  stopped: (() => void) | undefined;
}

interface Process {
  readonly child: Deno.ChildProcess;
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
  readonly started: Promise<void>;
  readonly cgroups: PromiseWithResolvers<Barrier>;
  readonly gone: Promise<void>;
}

/** A watchdog that takes longer than this to answer is not watching. */
const ANSWER_MS = 3000;
/** The same for its start. */
const START_MS = 15_000;
/** Deaths without a sign of life in between after which it is given up. */
const GIVE_UP_AFTER = 5;

export function createWatchdog(options: WatchdogOptions): Watchdog {
  const entries = new Map<number, Entry>();
  const encoder = new TextEncoder();
  let current: Process | undefined;
  let disposed = false;
  let failures = 0;

  function start(): Process {
    const child = new Deno.Command(options.deno, {
      args: [
        "run",
        "--quiet",
        "--allow-all",
        "--no-prompt",
        "--no-config",
        "--no-lock",
        "--no-remote",
        "--no-npm",
        `${options.assets}/watchdog_main.ts`,
      ],
      clearEnv: true,
      env: {
        DENO_DIR: options.denoDir,
        DENO_NO_PACKAGE_JSON: "1",
        NO_COLOR: "1",
        PATH: "/usr/bin:/bin",
      },
      cwd: "/",
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      // Out of the terminal's reach: Ctrl-C is for the host, which then ends its runners in order.
      detached: true,
    }).spawn();
    const ready = Promise.withResolvers<void>();
    const cgroups = Promise.withResolvers<Barrier>();
    for (const { promise } of [ready, cgroups]) promise.catch(() => {}); // nobody may be waiting
    const process: Process = {
      child,
      input: child.stdin.getWriter(),
      started: ready.promise,
      cgroups,
      gone: read(child, ready.resolve, cgroups.resolve).then(async () => {
        await child.status;
        const error = new Error("Cannot start the watchdog: its process ended");
        ready.reject(error);
        cgroups.reject(error);
        lost();
      }),
    };
    return process;
  }

  async function read(
    child: Deno.ChildProcess,
    onReady: () => void,
    onCgroups: (found: Barrier) => void,
  ): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line === "ready") {
          failures = 0;
          onReady();
        } else if (line.startsWith("cgroups ")) onCgroups(parseBarrier(line));
        else heed(line);
      }
    }
  }

  function heed(line: string): void {
    const [verb, pid, what, figure] = line.split(" ");
    const entry = entries.get(Number(pid));
    if (!entry) return;
    if (verb === "killed" && (what === "memory" || what === "cpu" || what === "disk")) {
      entry.kill = { what, figure: Number(figure) };
      entry.onKill(entry.kill);
    } else if (verb === "unwatched") {
      entry.stopped?.();
    }
  }

  /** It died. Its runners live on unwatched for the milliseconds until the next one reads its list. */
  function lost(): void {
    current?.input.abort().catch(() => {});
    current = undefined;
    for (const entry of entries.values()) entry.stopped?.();
    if (disposed || entries.size === 0) return;
    if (++failures >= GIVE_UP_AFTER) {
      // Better no runner than one that nobody watches.
      for (const pid of entries.keys()) killQuietly(pid);
      return;
    }
    running();
    for (const [pid, { limits }] of entries) tell(watchLine(pid, limits));
  }

  function running(): Process {
    return current ??= start();
  }

  function tell(line: string): void {
    running().input.write(encoder.encode(line + "\n")).catch(() => {});
  }

  return {
    async ready() {
      if (disposed) throw new Error("Cannot start the watchdog: it was disposed");
      const { started, child } = running();
      await within(started, child, START_MS);
    },
    async cgroups() {
      await this.ready();
      const { cgroups, child } = running();
      tell("cgroups");
      await within(cgroups.promise, child);
      return await cgroups.promise;
    },
    watch(pid, limits, onKill) {
      const entry: Entry = { limits, onKill, kill: undefined, stopped: undefined };
      entries.set(pid, entry);
      tell(watchLine(pid, limits));
      return {
        rearm: () => tell(`rearm ${pid} ${limits.cpu}`),
        async stop() {
          if (entries.get(pid) === entry && current !== undefined && !disposed) {
            const { promise, resolve } = Promise.withResolvers<void>();
            entry.stopped = resolve;
            tell(`unwatch ${pid}`);
            await within(promise, current.child);
          }
          if (entries.get(pid) === entry) entries.delete(pid);
          return entry.kill;
        },
      };
    },
    get pid() {
      return current?.child.pid;
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      if (!current) return;
      const { input, gone, child } = current;
      // The end of its input ends it, and whatever it still watches.
      await within(Promise.all([input.close().catch(() => {}), gone]), child);
    },
  };
}

/** Waits for the watchdog; one that does not answer is killed, which answers everything. */
async function within(
  promise: Promise<unknown>,
  child: Deno.ChildProcess,
  ms = ANSWER_MS,
): Promise<void> {
  const timer = setTimeout(() => {
    try {
      child.kill("SIGKILL");
    } catch {
      // gone
    }
  }, ms);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
}

function watchLine(pid: number, { memory, cpu, disk, cgroup = 0 }: WatchLimits): string {
  return `watch ${pid} ${memory} ${cpu} ${disk} ${cgroup}`;
}

/** `cgroups works <what>` or `cgroups absent <why>`. */
function parseBarrier(line: string): Barrier {
  const [, state, ...reason] = line.split(" ");
  return { state: state === "works" ? "works" : "absent", reason: reason.join(" ") };
}

function killQuietly(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch {
    // gone
  }
}
