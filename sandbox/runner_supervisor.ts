/** What a runner's process, socket, streams and watch have to say, made into calls and one end. */
import type { AnswerRoom } from "./answers.ts";
import type { AuditTailSummary } from "./audit_tail.ts";
import { memoryLimit } from "./barriers.ts";
import { createCalls, endError } from "./calls.ts";
import { type Connection, createConnection } from "./connection.ts";
import { createLog, readLines } from "./log.ts";
import { createRedactor, withSecrets } from "./redact.ts";
import { killMarked, killTree } from "./kill_tree.ts";
import type { GuestEvent } from "./messages.ts";
import { ENDED_ITSELF } from "./preludes.ts";
import { encodeFrame, type Frame, FrameError, type FrameKind } from "./protocol.ts";
import type { Runner, RunnerOptions } from "./runner.ts";
import { MARK, type SpawnedRunner } from "./runner_process.ts";
import type { EndReason, RunnerEnd, RunnerSpec } from "./types.ts";
import type { Kill } from "./watchdog.ts";

/** Answers and requests carry a header and names beside what counts. */
const FRAME_SLACK = 64 * 1024;
const MIB = 1024 * 1024;
/** The kernel counts more to a cgroup than the watchdog does. */
const CGROUP_BASE = 64 * MIB;

export interface SupervisedRunner extends Runner {
  /** Talks to the process on this socket from now on. */
  connect(socket: Deno.Conn): void;
  /** Resolves when the plugin is loaded; rejects with `SandboxError` when the runner ends before. */
  readonly ready: Promise<void>;
}

/** From spawn to end: whatever happens, it ends in one `RunnerEnd`. */
export function superviseRunner(
  spec: RunnerSpec,
  options: RunnerOptions,
  { process, shelled, tail, mark }: SpawnedRunner,
): SupervisedRunner {
  const { plugin, limits } = spec;
  const pid = process.pid;
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => {}); // awaited later, or never when the start failed before
  const dead = new AbortController();
  let ending: RunnerEnd | undefined;
  let methods: readonly string[] = [];
  let connection: Connection | undefined;
  /** Of the answer that is not whole yet. */
  let arriving: AnswerRoom | undefined;
  /** Of those that somebody is at work with. */
  const kept = new Set<AnswerRoom>();

  const redactor = createRedactor();
  const log = createLog({ rate: limits.log_rate, onLine: (line) => calls.hear(line) });
  const calls = createCalls({
    plugin,
    services: spec.grants.services,
    calls: spec.grants.calls,
    onService: (permission, value, granted) => tail?.note(permission, value, granted),
    limits,
    graceMs: options.graceMs ?? 2000,
    send: (blocks) => connection?.send(blocks),
    onRoom: () => connection?.resume(),
    end: (reason, message) => void end(reason, message),
    rearm: () => watch.rearm(),
    onEvent,
    log: (level, message) => log.add(level, "log", redactor.text(message)),
    logTail: () => log.tail(),
    waits: () => arriving?.open === false,
  });
  const streams = Promise.all([
    readLines(
      process.stdout,
      (line) => log.add("info", "stdout", redactor.text(line)),
      dead.signal,
      { rate: limits.stream_rate_kb * 1024 },
    ),
    readLines(
      process.stderr,
      (line) => log.add("warn", "stderr", redactor.text(line)),
      dead.signal,
      { rate: limits.stream_rate_kb * 1024 },
    ),
  ]);
  const watch = options.watchdog.watch(pid, {
    memory: memoryLimit(limits),
    cgroup: options.barriers.cgroup.state === "works" ? memoryLimit(limits) + CGROUP_BASE : 0,
    cpu: limits.cpu_s,
    disk: limits.disk_mb * MIB,
  }, (kill) => void end(...killReason(kill)));

  function killReason({ what, figure }: Kill): [EndReason, string] {
    const cannot = `Cannot go on with "${plugin}": it used`;
    switch (what) {
      case "memory":
        return [
          "out_of_memory",
          `${cannot} ${mib(figure)} of memory, its limit is ${limits.memory_mb} MiB`,
        ];
      case "cpu":
        return [
          "cpu_exceeded",
          `${cannot} ${figure} s of processor time, its limit is ${limits.cpu_s} s`,
        ];
      case "disk":
        return [
          "disk_exceeded",
          `${cannot} ${mib(figure)} of disk, its limit is ${limits.disk_mb} MiB`,
        ];
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
    const maxRequest = limits.request_mb * MIB + FRAME_SLACK;
    connection = createConnection(socket, {
      maxFrame: limits.output_mb * MIB + FRAME_SLACK,
      maxRequest,
      maxEvent: limits.event_kb * 1024,
      // An answer that was let in is read to its end, whatever else there is: others wait for its room.
      room: () =>
        arriving?.open ??
          calls.held + (connection?.queued ?? 0) <= limits.in_flight_mb * MIB,
      onBegin,
      onFrame,
      onClose,
    });
    if (ending) return connection.close();
    const { config, dataDir } = spec;
    connection.send(encodeFrame("event", 0, { start: { config, dataDir, maxRequest } }));
  }

  function onBegin(kind: FrameKind, weight: number): void {
    if (kind !== "response" || ending) return;
    arriving = options.answers?.ask(weight, {
      onRoom: () => connection?.resume(),
      onSlow: () =>
        void end(
          "timed_out",
          `Cannot go on with "${plugin}": its answer did not arrive, and others wait for its room`,
        ),
    });
  }

  function onFrame(frame: Frame): void {
    const room = arriving;
    arriving = undefined;
    try {
      calls.onFrame(frame);
    } finally {
      if (room !== undefined) {
        // While another call is under way, what it waits for may itself want room.
        const keep = calls.underWay === 0;
        if (keep) kept.add(room);
        room.arrived(keep);
      }
    }
  }

  function done(): void {
    for (const room of kept) room.free();
    kept.clear();
  }

  function onClose(error: unknown): void {
    if (error instanceof FrameError) {
      const [reason, why] = error.code === "answer_too_large"
        ? ["output_exceeded", `its answer is larger than ${limits.output_mb} MiB`] as const
        : error.code === "request_too_large"
        ? [
          "output_exceeded",
          `it sent ${error.message} to the host, its limit is ${limits.request_mb} MiB`,
        ] as const
        : ["crashed", `it sent ${error.message}`] as const;
      void end(reason, `Cannot go on with "${plugin}": ${why}`);
    } else if (!ending) {
      // As a rule the process is ending, and its status says more; if it is not, it must.
      const timer = setTimeout(
        () => end("crashed", `Cannot go on with "${plugin}": it hung up`),
        500,
      );
      ended.then(() => clearTimeout(timer));
    }
  }

  function end(reason: EndReason, message: string): Promise<RunnerEnd> {
    if (!ending) {
      ending = { reason, message };
      connection?.close();
      arriving?.free();
      if (mark !== undefined) killTree(pid);
      try {
        process.kill("SIGKILL");
      } catch {
        // gone already
      }
    }
    return ended;
  }

  function freeAll(): void {
    arriving?.free();
    arriving = undefined;
    done();
  }

  const call: Runner["call"] = (...given) => {
    // What the job still has of the answers before, it has beside what it waits for now.
    done();
    return calls.call(...given);
  };

  const ended = (async () => {
    const status = await process.status;
    if (mark !== undefined) killMarked(MARK, mark);
    dead.abort();
    // Under bwrap the end of the streams says that the processes inside are gone too.
    const [kill] = await Promise.all([watch.stop(), streams.catch(() => {})]);
    await tail?.finish();
    ending ??= kill ? { ...named(killReason(kill)) } : exitReason(status);
    connection?.close();
    freeAll();
    calls.fail(ending);
    ready.reject(endError(ending, log.tail()));
    return ending;
  })();

  /** It went by itself. */
  function exitReason(status: Deno.CommandStatus): RunnerEnd {
    const cannot = `Cannot go on with "${plugin}":`;
    const last = log.tail().filter(({ stream }) => stream === "stderr").at(-1)?.message;
    const signal = status.signal ?? (shelled ? signalOf(status.code) : undefined);
    const heap = log.tail().some(({ stream, message }) =>
      stream === "stderr" && OUT_OF_MEMORY.test(message)
    );
    if (heap && signal !== "SIGKILL") {
      return { reason: "out_of_memory", message: `${cannot} its process ran out of memory` };
    }
    if (last === ENDED_ITSELF) return { reason: "crashed", message: `${cannot} ${ENDED_ITSELF}` };
    const how = signal === undefined ? `ended with code ${status.code}` : `was ended by ${signal}`;
    return {
      reason: "crashed",
      message: `${cannot} its process ${how}${
        last === undefined ? "" : ` (${last.slice(0, 500)})`
      }`,
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
    call: spec.secrets === undefined ? call : withSecrets(call, spec.secrets, redactor),
    done,
    uses: () => tail?.current() ?? NO_USES,
    takeUses: () => tail?.take() ?? NO_USES,
    end,
    connect,
    ready: ready.promise,
  };
}

const NO_USES: AuditTailSummary = { uses: [], truncated: false, unknown: 0 };

/** What V8 and Rust say before they give up. */
const OUT_OF_MEMORY =
  /JavaScript heap out of memory|JavaScript out of memory|process out of memory|memory allocation of \d+ bytes failed/;

/** A shell and bwrap tell a signal as 128 and its number. */
function signalOf(code: number): string | undefined {
  return {
    131: "SIGQUIT",
    132: "SIGILL",
    133: "SIGTRAP",
    134: "SIGABRT",
    135: "SIGBUS",
    136: "SIGFPE",
    137: "SIGKILL",
    139: "SIGSEGV",
    143: "SIGTERM",
  }[code];
}

function named([reason, message]: [EndReason, string]): RunnerEnd {
  return { reason, message };
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`;
}
