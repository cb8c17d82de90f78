/**
 * The seam between the host and its sandbox.
 *
 * - **runner**: a child process that hosts one plugin version in one Web Worker.
 * - **desk**: a runner held for one job, from `acquire` to `release`.
 * - **grants**: what the runner may reach: the intersection of what the manifest declares and the
 *   operator approved, resolved for this job (no `${…}` is left in it).
 * - **end**: why a runner is gone.
 */

import type { ModelUsage } from "../sdk/capabilities.ts";
import type { PermissionUse } from "./audit_use.ts";
import type { FoundBarriers } from "./barriers.ts";

/** `host:port`, `*.domain:port`; host in ASCII, lower case. Port always said. */
export type NetRule = string;

/** A private address that the operator opened: requests to `host:port` may reach just these. */
export interface PrivateGrant {
  readonly host: string;
  readonly port: number;
  /** IPv4 or IPv6 literals, pinned when it was granted. */
  readonly addresses: readonly string[];
}

export interface Grants {
  readonly net: readonly NetRule[];
  /** Any public host, on any port. */
  readonly netPublic: boolean;
  readonly private: readonly PrivateGrant[];
  /** Absolute paths. */
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Names of environment variables. */
  readonly env: readonly string[];
  /** Programs that it may start, absolute paths. At the level `trusted` only: they run outside of all this. */
  readonly run: readonly string[];
  /** Host services that the guest may call. */
  readonly services: readonly string[];
  /** Capabilities of other plugins that the guest may call. */
  readonly calls: readonly string[];
}

/** Grants nothing at all. */
export const NO_GRANTS: Grants = {
  net: [],
  netPublic: false,
  private: [],
  read: [],
  write: [],
  env: [],
  run: [],
  services: [],
  calls: [],
};

export interface Limits {
  /** Anonymous and shared memory of the runner's process tree, MiB; killed at 25 % above. */
  readonly memory_mb: number;
  /** Processor time of one call, seconds. */
  readonly cpu_s: number;
  /** Time of one call, seconds. */
  readonly wall_s: number;
  /** Bytes of one answer, MiB. */
  readonly output_mb: number;
  /** Bytes that the runner may write to disk, MiB. */
  readonly disk_mb: number;
  /** Runners of this plugin at once. */
  readonly concurrency: number;
  /** Log lines a second; more are counted and dropped. */
  readonly log_rate: number;
  /** What is read of each of its output streams, KiB a second; a plugin that writes more waits for its own pipe. */
  readonly stream_rate_kb: number;
  /** Messages a second that the host did not ask for: events, service requests. Twice as many at once. */
  readonly message_rate: number;
  /** The same in MiB a second. */
  readonly message_rate_mb: number;
  /** Bytes of one event, KiB. */
  readonly event_kb: number;
  /** Bytes of one service request, MiB. */
  readonly request_mb: number;
  /** Service requests under way at once. */
  readonly requests: number;
  /**
   * Memory of the host for requests that are under way and for what the runner has not read yet, MiB; above it no
   * more is read from the runner until there is room.
   */
  readonly in_flight_mb: number;
}

export const DEFAULT_LIMITS: Limits = {
  memory_mb: 512,
  cpu_s: 30,
  wall_s: 300,
  output_mb: 64,
  disk_mb: 256,
  concurrency: 2,
  log_rate: 500,
  stream_rate_kb: 512,
  message_rate: 20_000,
  message_rate_mb: 64,
  event_kb: 256,
  request_mb: 16,
  requests: 256,
  in_flight_mb: 64,
};

/** `sandboxed`: a fresh runner for each job. `restricted`, `trusted`: warm runners, reused one job after another. */
export type TrustLevel = "sandboxed" | "restricted" | "trusted";

/** All that tells one runner from another. */
export interface RunnerSpec {
  readonly plugin: string;
  readonly version: string;
  /** SHA-256 of the bundle, hex. */
  readonly digest: string;
  /** The bundle, one self-contained ES module. Absolute path. */
  readonly bundle: string;
  readonly grants: Grants;
  /** Valid settings. Plain JSON. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What `ctx.dataDir` says: the plugin's own directory, where it is granted. */
  readonly dataDir?: string | undefined;
  readonly trust: TrustLevel;
  readonly limits: Limits;
  /** What `ctx.secrets` says. */
  readonly secrets?: SecretSource | undefined;
  /**
   * Whether it still holds, for what it grants may be taken back while it waits for its turn: one that does not
   * starts nothing. @default it does
   */
  readonly isCurrent?: (() => boolean) | undefined;
}

/** The secrets of one plugin: asked for at each call, kept nowhere. */
export interface SecretSource {
  /** Where they are, plain JSON; tells one runner from another. */
  readonly references: Readonly<Record<string, unknown>>;
  /** By setting. Rejects when one cannot be read. */
  resolve(): Promise<Readonly<Record<string, string>>>;
}

/** Why a runner is gone. `closed` is the only good end. */
export const END_REASONS = [
  "closed",
  "cancelled",
  "timed_out",
  "cpu_exceeded",
  "out_of_memory",
  "output_exceeded",
  "disk_exceeded",
  "denied",
  "crashed",
  "lost",
] as const;
export type EndReason = typeof END_REASONS[number];

export interface RunnerEnd {
  readonly reason: EndReason;
  /** One sentence for people, with the figure that was exceeded. */
  readonly message: string;
}

export interface LogLine {
  readonly time: string;
  readonly level: "debug" | "info" | "warn" | "error";
  /** `ctx.log`, or the process's own streams. */
  readonly stream: "log" | "stdout" | "stderr";
  readonly message: string;
}

/** A host function that a guest may call. The input is whatever the guest sent: parse it. */
export type Service = (input: unknown, signal: AbortSignal) => Promise<unknown>;

export interface CallOptions {
  /** Aborts the call: the guest is told, and killed two seconds later if it does not stop. */
  readonly signal?: AbortSignal | undefined;
  /** What `ctx` says to the plugin. */
  readonly job: { readonly id: string; readonly idempotencyKey: string };
  /** Only those that the spec grants are ever reached. */
  readonly services?: Readonly<Record<string, Service>> | undefined;
  /** What `ctx.secrets` says; the runner adds those of its spec. */
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  readonly onProgress?: ((fraction: number, message: string | undefined) => void) | undefined;
  readonly onLog?: ((line: LogLine) => void) | undefined;
  /** What the plugin says of its use of models. */
  readonly onUsage?: ((usage: ModelUsage) => void) | undefined;
}

/** A runner held for one job. */
export interface Desk extends AsyncDisposable {
  /**
   * Calls `extract`, `generate`, … of the plugin. Bytes stay bytes on the way. Throws `SandboxError`.
   * Calls may run at the same time.
   */
  call(method: string, args: readonly unknown[], options: CallOptions): Promise<unknown>;
  /** The methods that the plugin has. */
  readonly methods: readonly string[];
  /** The process, for tests and for the doctor; under bwrap the one of bwrap, with the runner below it. */
  readonly pid: number;
  /** What this desk's runner asked of permissions since it was acquired. */
  uses(): RunnerUses;
  /** Settles when the runner is gone. */
  readonly ended: Promise<RunnerEnd>;
  /** Gives the runner back: kept warm or closed, by trust level. Same as disposing. */
  release(): Promise<void>;
}

/** What a runner asked for. */
export interface RunnerUses {
  readonly uses: readonly PermissionUse[];
  /** More was asked for than was counted. */
  readonly truncated: boolean;
}

export interface PoolStats {
  readonly busy: number;
  readonly idle: number;
  readonly started: number;
  /** Runners that ended otherwise than by `closed`, by reason. */
  readonly ends: Readonly<Record<EndReason, number>>;
  /** The barriers of the system, once the first runner has asked for them. */
  readonly barriers?: FoundBarriers | undefined;
}

/** Starts, keeps and ends runners. Disposing it ends them all. */
export interface Pool extends AsyncDisposable {
  /** A warm runner of the same key if there is one, else a new one, loaded and answering. */
  acquire(spec: RunnerSpec, options?: { signal?: AbortSignal }): Promise<Desk>;
  /**
   * The plugin's runners of other code than `keep` serve nobody after the job that they are at; with `kill` they
   * end at once. Resolves when the idle ones, with `kill` all, are gone.
   */
  retire(plugin: string, options?: { keep?: string | undefined; kill?: boolean }): Promise<void>;
  stats(): PoolStats;
}

/** What a call to a runner throws. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
  constructor(
    /** How the runner ended; or the code that the plugin itself gave, `plugin_error` if none. */
    readonly code: Exclude<EndReason, "closed"> | (string & Record<never, never>),
    message: string,
    readonly retryable: boolean,
    /** What the plugin put beside its message. */
    readonly data: Readonly<Record<string, unknown>> = {},
    /** The last lines of the plugin's log. */
    readonly logTail: readonly LogLine[] = [],
  ) {
    super(message);
  }
}
