/**
 * The host's side of one runner, from spawn to end. Whatever happens in the child, this ends in one
 * `RunnerEnd`: the process reaped, its socket closed, its calls rejected.
 */
import { pathToFileURL } from "node:url";
import { createCalls, endError } from "./calls.ts";
import { type Connection, createConnection } from "./connection.ts";
import { GrantError, processArgs, workerPermissions } from "./flags.ts";
import { createLog, readLines } from "./log.ts";
import type { GuestEvent } from "./messages.ts";
import { encodeFrame, FrameError } from "./protocol.ts";
import type { CallOptions, EndReason, RunnerEnd, RunnerSpec } from "./types.ts";
import { SandboxError } from "./types.ts";
import type { Kill, Watchdog } from "./watchdog.ts";

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
  /** From cancel to kill. @default 2000 */
  readonly graceMs?: number | undefined;
  /** From spawn to loaded. @default 30000 */
  readonly startMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the short-lived socket folders go. @default the system's */
  readonly socketBase?: string | undefined;
}

export interface Runner {
  readonly pid: number;
  readonly methods: readonly string[];
  readonly ended: Promise<RunnerEnd>;
  /** Whether it is alive, idle, and may serve another job. */
  readonly reusable: boolean;
  call(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown>;
  /** Kills it. The first reason stands. Resolves when it is gone. */
  end(reason: EndReason, message: string): Promise<RunnerEnd>;
}

/** Modules that the child loads, in the folder of assets. */
export const CHILD_FILES = [
  "runner_main.ts",
  "guest.ts",
  "guest_rpc.ts",
  "preludes.ts",
  "messages.ts",
  "plain.ts",
  "protocol.ts",
] as const;

/** Answers carry a header and names beside what counts as output. */
const FRAME_SLACK = 64 * 1024;
const MIB = 1024 * 1024;

/** Starts a runner; it has loaded the plugin when this resolves. Throws `SandboxError`. */
export async function startRunner(spec: RunnerSpec, options: RunnerOptions): Promise<Runner> {
  const { signal, startMs = 30_000 } = options;
  await options.watchdog.ready().catch((error) => {
    throw new SandboxError("crashed", `Cannot start "${spec.plugin}": ${error.message}`, true);
  });
  if (signal?.aborted) throw startCancelled(spec);
  const folder = makeSocketFolder(options.socketBase);
  let process: Deno.ChildProcess;
  let listener: Deno.Listener;
  try {
    listener = Deno.listen({ transport: "unix", path: `${folder}/s` });
    try {
      process = spawn(spec, options, `${folder}/s`);
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
  const runner = superviseRunner(spec, options, process);

  const onAbort = () => runner.end("cancelled", startCancelled(spec).message);
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(
    () => runner.end("timed_out", `Cannot start "${spec.plugin}": not loaded after ${startMs / 1000} s`),
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

/** A folder for us alone, with a short path: a socket's may have about 100 bytes. */
function makeSocketFolder(base: string | undefined): string {
  const folder = Deno.makeTempDirSync({ prefix: "cr-", ...(base === undefined ? {} : { dir: base }) });
  if (folder.length < 90) return folder;
  Deno.removeSync(folder);
  return Deno.makeTempDirSync({ prefix: "cr-", dir: "/tmp" });
}

function spawn(spec: RunnerSpec, options: RunnerOptions, socket: string): Deno.ChildProcess {
  const { grants, bundle } = spec;
  const env: Record<string, string> = {
    DENO_DIR: options.denoDir,
    DENO_NO_PACKAGE_JSON: "1",
    NO_COLOR: "1",
  };
  for (const name of grants.env) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  const args = processArgs(grants, {
    main: `${options.assets}/${CHILD_FILES[0]}`,
    files: CHILD_FILES.map((file) => `${options.assets}/${file}`),
    bundle,
    socket,
    interfaces: options.interfaces,
    denied: options.denied,
  });
  return new Deno.Command(options.deno, {
    args: [
      ...args,
      JSON.stringify(workerPermissions(grants, bundle)),
      JSON.stringify({ bundle: pathToFileURL(bundle).href, env: grants.env, node: options.node }),
    ],
    clearEnv: true,
    env,
    cwd: "/",
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true, // as the watchdog is
  }).spawn();
}

interface SupervisedRunner extends Runner {
  connect(socket: Deno.Conn): void;
  readonly ready: Promise<void>;
}

function superviseRunner(
  spec: RunnerSpec,
  options: RunnerOptions,
  process: Deno.ChildProcess,
): SupervisedRunner {
  const { plugin, limits } = spec;
  const pid = process.pid;
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // awaited later, or never when the start failed before
  const dead = new AbortController();
  let ending: RunnerEnd | undefined;
  let methods: readonly string[] = [];
  let connection: Connection | undefined;

  const log = createLog({ onLine: (line) => calls.hear(line) });
  const calls = createCalls({
    plugin,
    services: spec.grants.services,
    wallSeconds: limits.wall_s,
    graceMs: options.graceMs ?? 2000,
    send: (blocks) => connection?.send(blocks),
    end: (reason, message) => void end(reason, message),
    rearm: () => watch.rearm(),
    onEvent,
    log: (level, message) => log.add(level, "log", message),
    logTail: () => log.tail(),
  });
  const streams = Promise.all([
    readLines(process.stdout, (line) => log.add("info", "stdout", line), dead.signal),
    readLines(process.stderr, (line) => log.add("warn", "stderr", line), dead.signal),
  ]);
  const watch = options.watchdog.watch(pid, {
    memory: limits.memory_mb * MIB * 1.25,
    cpu: limits.cpu_s,
    disk: limits.disk_mb * MIB,
  }, (kill) => void end(...killReason(kill)));

  function killReason({ what, figure }: Kill): [EndReason, string] {
    const cannot = `Cannot go on with "${plugin}": it used`;
    switch (what) {
      case "memory":
        return ["out_of_memory", `${cannot} ${mib(figure)} of memory, its limit is ${limits.memory_mb} MiB`];
      case "cpu":
        return ["cpu_exceeded", `${cannot} ${figure} s of processor time, its limit is ${limits.cpu_s} s`];
      case "disk":
        return ["disk_exceeded", `${cannot} ${mib(figure)} of disk, its limit is ${limits.disk_mb} MiB`];
    }
  }

  function onEvent(event: GuestEvent): void {
    if (event.event === "ready" && methods.length === 0) {
      methods = Object.freeze([...event.methods]);
      ready.resolve();
    } else if (event.event === "failed") {
      void end("crashed", `Cannot load "${plugin}": ${event.message}`);
    }
  }

  function connect(socket: Deno.Conn): void {
    connection = createConnection(socket, {
      maxFrame: limits.output_mb * MIB + FRAME_SLACK,
      onFrame: calls.onFrame,
      onClose,
    });
    if (ending) return connection.close();
    connection.send(encodeFrame("event", 0, { start: { config: spec.config } }));
  }

  function onClose(error: unknown): void {
    if (error instanceof FrameError) {
      const [reason, why] = error.code === "too_large"
        ? ["output_exceeded", `its answer is larger than ${limits.output_mb} MiB`] as const
        : ["crashed", `it sent ${error.message}`] as const;
      void end(reason, `Cannot go on with "${plugin}": ${why}`);
    } else if (!ending) {
      // As a rule the process is ending, and its status says more; if it is not, it must.
      const timer = setTimeout(() => end("crashed", `Cannot go on with "${plugin}": it hung up`), 500);
      ended.then(() => clearTimeout(timer));
    }
  }

  function end(reason: EndReason, message: string): Promise<RunnerEnd> {
    if (!ending) {
      ending = { reason, message };
      connection?.close();
      try {
        process.kill("SIGKILL");
      } catch {
        // gone already
      }
    }
    return ended;
  }

  const ended = (async () => {
    const status = await process.status;
    dead.abort();
    const [kill] = await Promise.all([watch.stop(), streams.catch(() => {})]);
    ending ??= kill ? { ...named(killReason(kill)) } : exitReason(status);
    connection?.close();
    calls.fail(ending);
    ready.reject(endError(ending, log.tail()));
    return ending;
  })();

  /** It went by itself. */
  function exitReason(status: Deno.CommandStatus): RunnerEnd {
    const cannot = `Cannot go on with "${plugin}":`;
    const last = log.tail().filter(({ stream }) => stream === "stderr").at(-1)?.message;
    const heap = log.tail().some(({ stream, message }) =>
      stream === "stderr" && /JavaScript heap out of memory|JavaScript out of memory/.test(message)
    );
    if (heap && status.signal !== "SIGKILL") {
      return { reason: "out_of_memory", message: `${cannot} its heap is full` };
    }
    const how = status.signal === null ? `ended with code ${status.code}` : `was ended by ${status.signal}`;
    return {
      reason: "crashed",
      message: `${cannot} its process ${how}${last === undefined ? "" : ` (${last.slice(0, 500)})`}`,
    };
  }

  return {
    pid,
    get methods() {
      return methods;
    },
    ended,
    get reusable() {
      return !ending && calls.clean && calls.underWay === 0;
    },
    call: calls.call,
    end,
    connect,
    ready: ready.promise,
  };
}

function named([reason, message]: [EndReason, string]): RunnerEnd {
  return { reason, message };
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
