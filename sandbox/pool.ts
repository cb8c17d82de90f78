/** Keeps runners: fresh or warm by trust level, one job at a time in each, none idle for long. */
import { makeDenoDir } from "./deno_dir.ts";
import { createWatchdog } from "./watchdog.ts";
import { type Runner, startRunner } from "./runner.ts";
import type { Desk, EndReason, Pool, PoolStats, RunnerSpec } from "./types.ts";
import { SandboxError } from "./types.ts";

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
  /** Where the short-lived socket folders go. @default the system's */
  readonly socketBase?: string;
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

const NO_ENDS: Record<EndReason, number> = {
  closed: 0,
  cancelled: 0,
  timed_out: 0,
  cpu_exceeded: 0,
  out_of_memory: 0,
  output_exceeded: 0,
  disk_exceeded: 0,
  denied: 0,
  crashed: 0,
  lost: 0,
};

export function createPool(options: PoolOptions): Pool {
  const { idleMs = 30_000, maxIdle = 8 } = options;
  const deno = options.deno ?? Deno.execPath();
  const assets = options.assets ?? import.meta.dirname!;
  const interfaces = options.interfaces ??
    Deno.networkInterfaces().map(({ address }) => address);
  const watchdog = createWatchdog({ deno, assets, denoDir: `${options.denoDirs}/watchdog` });

  const idle = new Set<Idle>();
  /** Every runner that lives, and the starts under way. */
  const living = new Set<Runner>();
  const starting = new Set<Promise<unknown>>();
  /** Slots taken, by plugin: runners that work, start or idle. */
  const taken = new Map<string, number>();
  const waiting = new Map<string, Waiter[]>();
  const ends = { ...NO_ENDS };
  const disposing = new AbortController();
  /** By digest, what is done once for a plugin version: its folder, and a look at its bundle. */
  const prepared = new Map<string, Promise<{ denoDir: string; node: boolean }>>();
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

  function prepare({ plugin, digest, bundle }: RunnerSpec) {
    let done = prepared.get(digest);
    if (!done) {
      done = (async () => {
        if (!/^[\w-]+$/.test(digest)) {
          throw new SandboxError(
            "crashed",
            `Cannot start "${plugin}": bad digest "${digest}"`,
            false,
          );
        }
        const denoDir = `${options.denoDirs}/${digest}`;
        await makeDenoDir(denoDir);
        const code = await Deno.readTextFile(bundle).catch(() => "");
        return { denoDir, node: /["'](node:|process["'])/.test(code) };
      })();
      prepared.set(digest, done);
      done.catch(() => prepared.delete(digest));
    }
    return done;
  }

  async function start(spec: RunnerSpec, signal: AbortSignal | undefined): Promise<Runner> {
    // By hand: what AbortSignal.any() makes would be remembered by the pool's own signal for ever.
    const either = new AbortController();
    const abort = () => either.abort();
    const signals = signal ? [signal, disposing.signal] : [disposing.signal];
    for (const each of signals) each.addEventListener("abort", abort, { once: true });
    const begun = (async () => {
      return await startRunner(spec, {
        deno,
        assets,
        interfaces,
        watchdog,
        ...await prepare(spec),
        denied: options.denied?.(),
        graceMs: options.graceMs,
        startMs: options.startMs,
        socketBase: options.socketBase,
        signal: either.signal,
      });
    })();
    const settled = begun.catch(() => {});
    starting.add(settled);
    try {
      const runner = await begun;
      started++;
      living.add(runner);
      runner.ended.then((end) => {
        living.delete(runner);
        ends[end.reason]++;
        const entry = takeIdle((entry) => entry.runner === runner);
        if (entry) clearTimeout(entry.timer);
        give(spec.plugin);
      });
      return runner;
    } catch (error) {
      give(spec.plugin);
      if (!(error instanceof SandboxError)) throw error;
      if (disposing.signal.aborted) throw stopping(spec.plugin);
      if (error.code in ends) ends[error.code as EndReason]++;
      throw error;
    } finally {
      starting.delete(settled);
      for (const each of signals) each.removeEventListener("abort", abort);
    }
  }

  function desk(runner: Runner, spec: RunnerSpec, key: string): Desk {
    let released: Promise<void> | undefined;
    busy++;
    async function giveBack(): Promise<void> {
      busy--;
      const keep = spec.trust !== "sandboxed" && runner.reusable && !disposing.signal.aborted;
      if (!keep) {
        await close(runner);
        return;
      }
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
      call: (method, args, callOptions) =>
        released
          ? Promise.reject(
            new SandboxError("lost", `Cannot call "${method}": the desk was given back`, false),
          )
          : runner.call(method, args, callOptions),
      release,
      [Symbol.asyncDispose]: release,
    };
  }

  return {
    acquire,
    stats: (): PoolStats => ({ busy, idle: idle.size, started, ends: { ...ends } }),
    async [Symbol.asyncDispose]() {
      disposing.abort();
      for (const line of waiting.values()) for (const { wake } of line.splice(0)) wake();
      for (const entry of idle) clearTimeout(entry.timer);
      idle.clear();
      await Promise.all(starting);
      await Promise.all([...living].map((runner) => runner.end("closed", "The host is stopping")));
      await watchdog[Symbol.asyncDispose]();
    },
  };
}

function cancelled(plugin: string): SandboxError {
  return new SandboxError("cancelled", `Cannot start "${plugin}": it was cancelled`, false);
}

/** Runners of one key are interchangeable. */
function keyOf({ digest, bundle, grants, config, trust, limits }: RunnerSpec): string {
  return JSON.stringify(
    [digest, bundle, grants, config, trust, limits],
    (_, value) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}
