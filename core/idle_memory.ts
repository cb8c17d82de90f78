/**
 * Gives memory back that a burst of work has left behind: the engine does not collect while nothing is
 * allocated, so a host that has nothing to do would keep the young generation of its busiest moment for good.
 */
import process from "node:process";
import v8 from "node:v8";
import vm from "node:vm";
import { type Clock, every, systemClock } from "./jobs/clock.ts";

export interface IdleMemoryOptions {
  /** How long the process must have been idle, milliseconds. @default 5000 */
  readonly idleMs?: number | undefined;
  /** Processor time, of the time that has passed, up to which it counts as idle. @default 0.01 */
  readonly idleShare?: number | undefined;
  /**
   * How much the heap must have grown since the last time, bytes, and by a quarter at least: less is not worth
   * the pause, which is the longer the more there is. @default 8 MiB
   */
  readonly grownBytes?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Processor time of the process so far, milliseconds. */
  readonly cpuMs?: (() => number) | undefined;
  /** Size of the heap with its unused part, bytes. */
  readonly heapBytes?: (() => number) | undefined;
  /** @default `collectGarbage` */
  readonly collect?: (() => void) | undefined;
}

/** Watches the process until it is disposed, and collects when it is idle and has grown. */
export function freeMemoryWhenIdle(options: IdleMemoryOptions = {}): Disposable {
  const {
    idleMs = 5_000,
    idleShare = 0.01,
    grownBytes = 8 * 1024 * 1024,
    clock = systemClock,
    cpuMs = processorTime,
    heapBytes = () => v8.getHeapStatistics().total_heap_size,
    collect = collectGarbage,
  } = options;
  let kept = 0;
  let cpuBefore = cpuMs();
  const stop = every(clock, idleMs, () => {
    const cpu = cpuMs();
    const idle = cpu - cpuBefore <= idleMs * idleShare;
    cpuBefore = cpu;
    if (!idle || heapBytes() - kept < Math.max(grownBytes, kept / 4)) return;
    collect();
    kept = heapBytes();
    // What it took itself is no work.
    cpuBefore = cpuMs();
  });
  return { [Symbol.dispose]: stop };
}

function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

let gc: (() => void) | undefined;

/** A full collection: tens of milliseconds in which nothing else runs. Does nothing where there is none to be had. */
export function collectGarbage(): void {
  gc ??= findCollector();
  gc();
}

/** `gc` is given to new contexts only, so one is made, and no other gets it. */
function findCollector(): () => void {
  try {
    v8.setFlagsFromString("--expose-gc");
    const found: unknown = vm.runInNewContext("gc");
    if (typeof found === "function") return found as () => void;
  } catch {
    // An engine without it: the memory stays where it is.
  } finally {
    v8.setFlagsFromString("--no-expose-gc");
  }
  return () => {};
}
