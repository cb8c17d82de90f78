/** Keeps runners: fresh or warm by trust level, one job at a time in each, none idle for long. */
import { createAnswers } from "./answers.ts";
import { findBarriers, type FoundBarriers } from "./barriers.ts";
import { CLOSED } from "./calls.ts";
import type { PoolOptions } from "./pool_options.ts";
import { keyOf } from "./runner_key.ts";
import { createVersions } from "./versions.ts";
import { createWatchdog } from "./watchdog.ts";
import { quietly } from "./quietly.ts";
import { type Runner, startRunner } from "./runner.ts";
import type { Desk, EndReason, Pool, PoolStats, RunnerSpec, RunnerUses } from "./types.ts";
import { END_REASONS, SandboxError } from "./types.ts";

export type { PoolOptions };

const CHANGED = "Its plugin was changed";

interface Idle {
  readonly runner: Runner;
  readonly key: string;
  readonly plugin: string;
  timer: ReturnType<typeof setTimeout>;
}

interface Waiter {
  /** It may have a slot when fewer than these are taken. */
  readonly most: number;
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
  const answers = createAnswers({
    max: options.inFlightBytes ?? 512 * 1024 * 1024,
    collect: options.collect,
  });
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
    if (line === undefined) return;
    // An idle runner serves anybody; a free slot may be one that the first in line may not take.
    const idles = [...idle].some((entry) => entry.plugin === plugin);
    const next = line.findIndex(({ most }) => idles || (taken.get(plugin) ?? 0) < most);
    if (next >= 0) line.splice(next, 1)[0]!.wake();
    if (line.length === 0) waiting.delete(plugin);
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
    const most = Math.max(1, spec.limits.concurrency);
    for (;;) {
      if (disposing.signal.aborted) throw stopping(plugin);
      if (signal?.aborted) {
        wakeOne(plugin); // its turn may just have come
        throw cancelled(plugin);
      }
      if (spec.isCurrent?.() === false) {
        wakeOne(plugin);
        throw changed(plugin);
      }
      const warm = spec.trust === "sandboxed"
        ? undefined
        : takeIdle((entry) => entry.key === key && entry.runner.reusable);
      if (warm) return desk(warm.runner, spec, key);
      if ((taken.get(plugin) ?? 0) < most) {
        take(plugin);
        const runner = await start(spec, signal);
        if (spec.isCurrent?.() !== false) return desk(runner, spec, key);
        await runner.end("closed", CHANGED);
        throw changed(plugin);
      }
      const other = takeIdle((entry) => entry.plugin === plugin);
      if (other) await close(other.runner);
      else await turn(plugin, most, signal);
    }
  }

  /** Waits until a slot of the plugin may be free. */
  function turn(plugin: string, most: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const line = waiting.get(plugin) ?? [];
      waiting.set(plugin, line);
      const done = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const waiter = { most, wake: done };
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
        answers,
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

  function tellUses(runner: Runner, spec: RunnerSpec, job: string | undefined): RunnerUses {
    const taken = runner.takeUses();
    if (taken.uses.length > 0 || taken.truncated) {
      quietly(() => options.onUses?.(spec, job, taken));
    }
    return taken;
  }

  function desk(runner: Runner, spec: RunnerSpec, key: string): Desk {
    let released: Promise<void> | undefined;
    let job: string | undefined;
    let used: RunnerUses | undefined;
    busy++;
    tellUses(runner, spec, undefined);

    /** Only once: what comes after it is the next desk's. */
    function endJob(): void {
      used = tellUses(runner, spec, job);
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
      runner.done();
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
      await Promise.all(leaving.map((runner) => runner.end("closed", CHANGED)));
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

function changed(plugin: string): SandboxError {
  return new SandboxError("lost", `Cannot start "${plugin}": it was changed`, true, CLOSED);
}

function cancelled(plugin: string): SandboxError {
  return new SandboxError("cancelled", `Cannot start "${plugin}": it was cancelled`, false);
}
