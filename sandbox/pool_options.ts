/** How a pool of runners is made. */
import type { WantedBarriers } from "./barriers.ts";
import type { Rewrite } from "./runner_process.ts";
import type { RunnerEnd, RunnerSpec, RunnerUses } from "./types.ts";

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
  /**
   * Memory of the host for large answers, over all runners, bytes: what does not fit waits in its runner. A larger one
   * gets through alone. @default 536870912
   */
  readonly inFlightBytes?: number;
  /** Takes back memory that nobody uses any more; asked for when large answers wait for it. @default nothing does */
  readonly collect?: (() => void) | undefined;
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
