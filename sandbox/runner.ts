/**
 * The host's side of one runner, from spawn to end. Whatever happens in the child, this ends in one
 * `RunnerEnd`: the process reaped, its socket closed, its calls rejected.
 */
import { GrantError } from "./flags.ts";
import type { Answers } from "./answers.ts";
import type { FoundBarriers } from "./barriers.ts";
import {
  makeSocketFolder,
  type Rewrite,
  type SpawnedRunner,
  spawnRunner,
} from "./runner_process.ts";
import { superviseRunner } from "./runner_supervisor.ts";
import type { AuditTailSummary } from "./audit_tail.ts";
import {
  type CallOptions,
  type EndReason,
  type RunnerEnd,
  type RunnerSpec,
  SandboxError,
} from "./types.ts";
import type { Watchdog } from "./watchdog.ts";

export interface RunnerOptions {
  /** The `deno` executable. */
  readonly deno: string;
  /** The folder with `runner_main.ts` and `guest.ts`. */
  readonly assets: string;
  /** `DENO_DIR` of this plugin version. */
  readonly denoDir: string;
  /** The machine's own addresses. */
  readonly interfaces: readonly string[];
  /** `host:port` that no grant opens. */
  readonly denied?: readonly string[] | undefined;
  /** Whether the bundle imports Node's modules, see preludes.ts. */
  readonly node: boolean;
  readonly watchdog: Watchdog;
  /** Room for large answers. @default there always is */
  readonly answers?: Answers | undefined;
  /** What is put around the process. */
  readonly barriers: FoundBarriers;
  /** See `PoolOptions`. */
  readonly rewrite?: Rewrite | undefined;
  /** A folder for us alone, outside of all grants, for the record of permissions asked for. @default none is kept */
  readonly records?: string | undefined;
  /** From cancel to kill. @default 2000 */
  readonly graceMs?: number | undefined;
  /** From spawn to loaded. @default 30000 */
  readonly startMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the short-lived socket folders go. @default the system's */
  readonly socketBase?: string | undefined;
}

export interface Runner {
  /** Under bwrap the one of bwrap, the runner's is below it. */
  readonly pid: number;
  readonly methods: readonly string[];
  readonly ended: Promise<RunnerEnd>;
  /** Whether it is alive, idle, and may serve another job. */
  readonly reusable: boolean;
  call(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown>;
  /** What it asked for since the last `takeUses`; also when it is gone. */
  uses(): AuditTailSummary;
  /** The same, and the next begins with nothing. */
  takeUses(): AuditTailSummary;
  /** Whoever asked is done with the answers so far. */
  done(): void;
  /** Kills it. The first reason stands. Resolves when it is gone. */
  end(reason: EndReason, message: string): Promise<RunnerEnd>;
}

/** Starts a runner; it has loaded the plugin when this resolves. Throws `SandboxError`. */
export async function startRunner(spec: RunnerSpec, options: RunnerOptions): Promise<Runner> {
  const { signal, startMs = 30_000 } = options;
  await options.watchdog.ready().catch((error) => {
    throw new SandboxError("crashed", `Cannot start "${spec.plugin}": ${error.message}`, true);
  });
  if (signal?.aborted) throw startCancelled(spec);
  const folder = makeSocketFolder(options.socketBase);
  let spawned: SpawnedRunner;
  let listener: Deno.Listener;
  try {
    listener = Deno.listen({ transport: "unix", path: `${folder}/s` });
    try {
      spawned = spawnRunner(spec, options, `${folder}/s`);
    } catch (error) {
      listener.close();
      throw error;
    }
  } catch (error) {
    Deno.removeSync(folder, { recursive: true });
    if (error instanceof GrantError) throw new SandboxError("denied", error.message, false);
    const why = error instanceof Error ? error.message : String(error);
    throw new SandboxError("crashed", `Cannot start "${spec.plugin}": ${why}`, true);
  }
  const runner = superviseRunner(spec, options, spawned);

  const onAbort = () => runner.end("cancelled", startCancelled(spec).message);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () =>
      runner.end(
        "timed_out",
        `Cannot start "${spec.plugin}": not loaded after ${startMs / 1000} s`,
      ),
    startMs,
  );
  const closeListener = () => {
    try {
      listener.close();
    } catch {
      // closed already
    }
  };
  runner.ended.then(closeListener);
  try {
    const socket = await listener.accept().catch(() => undefined);
    closeListener();
    if (socket) runner.connect(socket);
    await Promise.all([runner.ready, Deno.remove(folder, { recursive: true })]);
    return runner;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function startCancelled(spec: RunnerSpec): SandboxError {
  return new SandboxError("cancelled", `Cannot start "${spec.plugin}": it was cancelled`, false);
}
