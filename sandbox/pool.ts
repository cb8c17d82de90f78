/** Keeps runners: fresh or warm by trust level, one job at a time in each, none idle for long. */
import { findBarriers, type FoundBarriers, type WantedBarriers } from "./barriers.ts";
import { keyOf } from "./runner_key.ts";
import { createVersions } from "./versions.ts";
import { createWatchdog } from "./watchdog.ts";
import { quietly } from "./quietly.ts";
import { type Runner, startRunner } from "./runner.ts";
import type { Rewrite } from "./runner_process.ts";
import type {
  Desk,
  EndReason,
  Pool,
  PoolStats,
  RunnerEnd,
  RunnerSpec,
  RunnerUses,
} from "./types.ts";
import { END_REASONS, SandboxError } from "./types.ts";

export interface PoolOptions {
  /** Holds a `DENO_DIR` for each plugin version, by digest. Absolute path. */
  readonly denoDirs: string;
  /** The `deno` executable. @default the one that runs this */
  readonly deno?: string;
  /** The folder with the modules of the child. Absolute path. @default this module's */
  readonly assets?: string;
  /** The machine's own addresses, denied to all but for `grants.private`. @default those of its interfaces */
  readonly interfaces?: readonly string[];
  /** `host:port` that no grant opens: the host's own API. Asked at each start. */
  readonly denied?: () => readonly string[];
  /** How long a warm runner is kept without work. @default 30000 */
  readonly idleMs?: number;
  /** Warm runners without work at once, over all plugins. @default 8 */
  readonly maxIdle?: number;
  /** From cancel to kill. @default 2000 */
  readonly graceMs?: number;
  /** From spawn to loaded. @default 30000 */
  readonly startMs?: number;
  /** Bytes that a plugin version may keep in its `DENO_DIR` between two jobs. @default 67108864 */
  readonly codeCacheBytes?: number;
  /** Where the short-lived socket folders go. @default the system's */
  readonly socketBase?: string;
  /** Which of the system's barriers are used where they work. @default all */
  readonly barriers?: WantedBarriers | undefined;
  /** Takes walls away, for those who must see that the others stand: tests, the doctor. */
  readonly rewrite?: Rewrite | undefined;
  /** Told of each runner that has loaded its plugin. */
  readonly onStart?: ((spec: RunnerSpec) => void) | undefined;
  /**
   * Told what a runner asked of permissions, at the end of each job and of the runner, if it asked for anything.
   * `job` is the one of the last call, undefined between jobs. Without it no record is kept.
   */
  readonly onUses?:
    | ((spec: RunnerSpec, job: string | undefined, uses: RunnerUses) => void)
    | undefined;
  /** Told how each runner ended, those included that did not start. */
  readonly onEnd?: ((spec: RunnerSpec, end: RunnerEnd) => void) | undefined;
}

interface Idle {
  readonly runner: Runner;
  readonly key: string;
  readonly plugin: string;
  timer: ReturnType<typeof setTimeout>;
}

interface Waiter {
  readonly wake: () => void;
}

const NO_ENDS = Object.fromEntries(
  END_REASONS.map((reason) => [reason, 0]),
) as Record<EndReason, number>;

export function createPool(options: PoolOptions): Pool {
  const { idleMs = 30_000, maxIdle = 8 } = options;
  const deno = options.deno ?? Deno.execPath();
  const assets = options.assets ?? import.meta.dirname!;
  const interfaces = options.interfaces ??
    Deno.networkInterfaces().map(({ address }) => address);
  const versions = createVersions(options.denoDirs, options.codeCacheBytes ?? 64 * 1024 * 1024);
  const realDeno = realPath(deno);
  const records = options.onUses && `${options.denoDirs}/records`;
  const watchdog = createWatchdog({ deno, assets, denoDir: `${options.denoDirs}/watchdog` });

  const idle = new Set<Idle>();
  /** Every runner that lives, and the starts under way. */
  const living = new Map<Runner, RunnerSpec>();
  /** Those that are not kept when they are given back. */
  const retired = new WeakSet<Runner>();
  const starting = new Set<Promise<unknown>>();
  /** Slots taken, by plugin: runners that work, start or idle. */
  const taken = new Map<string, number>();
  const waiting = new Map<string, Waiter[]>();
  const ends = { ...NO_ENDS };
  const disposing = new AbortController();
  let finding: Promise<FoundBarriers> | undefined;
  let barriers: FoundBarriers | undefined;
  let busy = 0;
  let started = 0;

  function stopping(plugin: string): SandboxError {
    return new SandboxError("lost", `Cannot start "${plugin}": the host is stopping`, true);
  }

  function take(plugin: string): void {
    taken.set(plugin, (taken.get(plugin) ?? 0) + 1);
  }

  function give(plugin: string): void {
    const left = (taken.get(plugin) ?? 1) - 1;
    if (left === 0) taken.delete(plugin);
    else taken.set(plugin, left);
    wakeOne(plugin);
  }

  function wakeOne(plugin: string): void {
    const line = waiting.get(plugin);
    line?.shift()?.wake();
    if (line?.length === 0) waiting.delete(plugin);
  }

  /** Takes an idle runner out of the pool; it is the caller's then. */
  function takeIdle(which: (entry: Idle) => boolean): Idle | undefined {
    for (const entry of idle) {
      if (!which(entry)) continue;
      clearTimeout(entry.timer);
      idle.delete(entry);
      return entry;
    }
    return undefined;
  }

  function close(runner: Runner): Promise<unknown> {
    return runner.end("closed", "It was closed");
  }

  async function acquire(
    spec: RunnerSpec,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<Desk> {
    const key = keyOf(spec);
    const { plugin } = spec;
    for (;;) {
      if (disposing.signal.aborted) throw stopping(plugin);
      if (signal?.aborted) {
        wakeOne(plugin); // its turn may just have come
        throw cancelled(plugin);
      }
      const warm = spec.trust === "sandboxed"
        ? undefined
        : takeIdle((entry) => entry.key === key && entry.runner.reusable);
      if (warm) return desk(warm.runner, spec, key);
      if ((taken.get(plugin) ?? 0) < Math.max(1, spec.limits.concurrency)) {
        take(plugin);
        return desk(await start(spec, signal), spec, key);
      }
      const other = takeIdle((entry) => entry.plugin === plugin);
      if (other) await close(other.runner);
      else await turn(plugin, signal);
    }
  }

  /** Waits until a slot of the plugin may be free. */
  function turn(plugin: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const line = waiting.get(plugin) ?? [];
      waiting.set(plugin, line);
      const done = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const waiter = { wake: done };
      const leave = () => {
        const place = line.indexOf(waiter);
        if (place >= 0) line.splice(place, 1);
        done();
      };
      line.push(waiter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  /** Once for the pool. */
  function find(): Promise<FoundBarriers> {
    return finding ??= (async () => {
      if (records !== undefined) {
        await Deno.remove(records, { recursive: true }).catch(() => {});
        await Deno.mkdir(records, { recursive: true, mode: 0o700 });
      }
      return barriers = await findBarriers(realDeno, watchdog, options.barriers);
    })().catch((error) => {
      finding = undefined;
      throw new SandboxError("crashed", `Cannot start a runner: ${error.message}`, true);
    });
  }

  async function start(spec: RunnerSpec, signal: AbortSignal | undefined): Promise<Runner> {
    // By hand: what AbortSignal.any() makes would be remembered by the pool's own signal for ever.
    const either = new AbortController();
    const abort = () => either.abort();
    const signals = signal ? [signal, disposing.signal] : [disposing.signal];
    for (const each of signals) each.addEventListener("abort", abort, { once: true });
    const begun = (async () => {
      const barriers = await find();
      const { version, leave } = await versions.prepare(spec, either.signal);
      return await startRunner(spec, {
        deno: realDeno,
        barriers,
        records,
        rewrite: options.rewrite,
        assets,
        interfaces,
        watchdog,
        ...version,
        denied: options.denied?.(),
        graceMs: options.graceMs,
        startMs: options.startMs,
        socketBase: options.socketBase,
        signal: either.signal,
      }).then((runner) => {
        runner.ended.then(leave);
        return runner;
      }, (error) => {
        leave();
        throw error;
      });
    })();
    const settled = begun.catch(() => {});
    starting.add(settled);
    try {
      const runner = await begun;
      started++;
      living.set(runner, spec);
      quietly(() => options.onStart?.(spec));
      runner.ended.then((end) => {
        living.delete(runner);
        ends[end.reason]++;
        quietly(() => options.onEnd?.(spec, end));
        const entry = takeIdle((entry) => entry.runner === runner);
        if (entry) clearTimeout(entry.timer);
        give(spec.plugin);
      });
      return runner;
    } catch (error) {
      give(spec.plugin);
      if (!(error instanceof SandboxError)) throw error;
      if (disposing.signal.aborted) throw stopping(spec.plugin);
      if (error.code in ends) {
        ends[error.code as EndReason]++;
        const end = { reason: error.code as EndReason, message: error.message };
        quietly(() => options.onEnd?.(spec, end));
      }
      throw error;
    } finally {
      starting.delete(settled);
      for (const each of signals) each.removeEventListener("abort", abort);
    }
  }

  function tellUses(runner: Runner, spec: RunnerSpec, job: string | undefined): void {
    const taken = runner.takeUses();
    if (taken.uses.length > 0 || taken.truncated) {
      quietly(() => options.onUses?.(spec, job, taken));
    }
  }

  function desk(runner: Runner, spec: RunnerSpec, key: string): Desk {
    let released: Promise<void> | undefined;
    let job: string | undefined;
    let used: RunnerUses | undefined;
    busy++;
    tellUses(runner, spec, undefined);

    /** Only once: what comes after it is the next desk's. */
    function endJob(): void {
      used = runner.uses();
      tellUses(runner, spec, job);
    }

    async function giveBack(): Promise<void> {
      busy--;
      const keep = spec.trust !== "sandboxed" && runner.reusable && !disposing.signal.aborted &&
        !retired.has(runner);
      if (!keep) {
        await close(runner);
        endJob();
        return;
      }
      endJob();
      const entry: Idle = {
        runner,
        key,
        plugin: spec.plugin,
        timer: setTimeout(() => {
          idle.delete(entry);
          void close(runner);
        }, idleMs),
      };
      // A warm runner keeps no process alive.
      Deno.unrefTimer(entry.timer);
      idle.add(entry);
      wakeOne(spec.plugin);
      if (idle.size > maxIdle) {
        const oldest = takeIdle(() => true);
        if (oldest) await close(oldest.runner);
      }
    }
    const release = () => released ??= giveBack();
    return {
      pid: runner.pid,
      methods: runner.methods,
      ended: runner.ended,
      uses: () => used ?? runner.uses(),
      call(method, args, callOptions) {
        if (released) {
          const message = `Cannot call "${method}": the desk was given back`;
          return Promise.reject(new SandboxError("lost", message, false));
        }
        job = callOptions.job.id;
        return runner.call(method, args, callOptions);
      },
      release,
      [Symbol.asyncDispose]: release,
    };
  }

  return {
    acquire,
    async retire(plugin, { keep, kill = false } = {}) {
      // What was made for old code may be removed now: who comes back with it finds it made anew.
      versions.forget();
      const old = [...living].filter(([, spec]) => spec.plugin === plugin && spec.digest !== keep)
        .map(([runner]) => runner);
      for (const runner of old) retired.add(runner);
      const leaving = kill ? old : old.filter((runner) => {
        const entry = takeIdle((entry) => entry.runner === runner);
        return entry !== undefined;
      });
      await Promise.all(leaving.map((runner) => runner.end("closed", "Its plugin was changed")));
    },
    stats: (): PoolStats => ({ busy, idle: idle.size, started, ends: { ...ends }, barriers }),
    async [Symbol.asyncDispose]() {
      disposing.abort();
      for (const line of waiting.values()) for (const { wake } of line.splice(0)) wake();
      for (const entry of idle) clearTimeout(entry.timer);
      idle.clear();
      await Promise.all(starting);
      await Promise.all(
        [...living.keys()].map((runner) => runner.end("closed", "The host is stopping")),
      );
      await versions.settled();
      await watchdog[Symbol.asyncDispose]();
    },
  };
}

/** bwrap shows what is named: links must be followed before. */
function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}

function cancelled(plugin: string): SandboxError {
  return new SandboxError("cancelled", `Cannot start "${plugin}": it was cancelled`, false);
}
