/** Prompts, put together from consents and waiting jobs. */
import { join } from "node:path";
import { SandboxError } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import type { EventBus } from "../events.ts";
import { type Clock, systemClock } from "../jobs/clock.ts";
import type { WaitingJobs } from "../jobs/dispatcher.ts";
import { isEnded, type JobError, JobWaits } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Network } from "../network/private.ts";
import { declaredGrants } from "../plugins/grants.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { SqlStore } from "../stores/sql.ts";
import { findMissing, type Refused } from "./missing.ts";
import {
  countPrompts,
  type PromptRow,
  type PromptState,
  savePrompt,
  settlePrompt,
  waitingPrompts,
} from "./prompt_rows.ts";
import { type FailedStage, MAX_PROMPTS, type Prompt, type Prompts } from "./prompts.ts";

export interface CreatePromptsOptions {
  readonly sql: SqlStore;
  readonly plugins: Pick<Plugins, "get" | "ask" | "withdraw" | "consent" | "consents" | "decide">;
  readonly network: Pick<Network, "destination" | "privateGrant">;
  readonly events: EventBus;
  /** The host's data folder, real. */
  readonly dataDir: string;
  /** How long a job waits for an answer, milliseconds. @default 600000 */
  readonly timeoutMs?: number | undefined;
  /** For tests. @default the system's */
  readonly clock?: Clock | undefined;
  /** @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** The jobs whose stages ask; they are there only after their handlers, which need the prompts. */
export interface PromptedJobs {
  readonly jobs: Pick<Jobs, "get">;
  readonly waiting: WaitingJobs;
}

/** What a plugin's own code can bring about; every other end says by itself what was wrong. */
const NO_REASON_TO_ASK = new Set([
  "cancelled",
  "timed_out",
  "cpu_exceeded",
  "out_of_memory",
  "output_exceeded",
  "disk_exceeded",
  "lost",
  "redirected",
  "invalid_output",
]);

/** Permissions in one message; the question itself has them all. */
const MAX_TOLD = 5;

export function createPrompts(
  options: CreatePromptsOptions,
  engine: () => PromptedJobs,
): Prompts {
  const { sql, plugins, network, events } = options;
  const { timeoutMs = 600_000, clock = systemClock, report = console.error } = options;
  /** By job: asked for by an attempt that has not given its slot back yet. */
  const asked = new Map<string, PromptRow>();
  /** By id, which is the consent's. */
  const waiting = new Map<string, PromptRow>();
  const expired = new Set<string>();
  const working = new Set<Promise<void>>();
  let takeBack: (() => void) | undefined;

  function background(work: Promise<unknown>): void {
    const settled: Promise<void> = work.then(() => {}, report).finally(() =>
      working.delete(settled)
    );
    working.add(settled);
  }

  const isAsked = (id: string) => plugins.consents().some((consent) => consent.id === id);

  /** One timer, for the first that falls due. */
  function arm(): void {
    takeBack?.();
    takeBack = undefined;
    const first = Math.min(...[...waiting.values()].map(({ expiresMs }) => expiresMs));
    if (first === Infinity) return;
    const ms = Math.min(Math.max(0, first - clock.now()), 2 ** 31 - 1);
    takeBack = clock.after(ms, () => background(expire()));
  }

  async function expire(): Promise<void> {
    takeBack = undefined;
    for (const row of [...waiting.values()]) {
      if (row.expiresMs > clock.now()) continue;
      expired.add(row.id);
      if (isAsked(row.id)) await plugins.decide(row.id, undefined, "host");
      else await settle(row, "expired");
    }
    arm();
  }

  /** The job goes on or ends; with it, in one transaction, the prompt. */
  async function settle(row: PromptRow, state: PromptState): Promise<void> {
    if (!waiting.delete(row.id)) return;
    expired.delete(row.id);
    arm();
    const jobs = engine().waiting;
    const now = new Date(clock.now()).toISOString();
    const write = (tx: Parameters<typeof settlePrompt>[0]) => settlePrompt(tx, row.id, state, now);
    if (state === "denied" || state === "expired") {
      await jobs.fail(row.job, denial(row, state, timeoutMs), write);
    } else if (state === "granted") {
      await jobs.resume(row.job, write);
    } else {
      await sql.transaction(write);
    }
  }

  /** An attempt has given its slot back and waits. Somebody may have been quicker with the answer. */
  function onWaiting(job: string): void {
    const row = asked.get(job);
    if (row === undefined) return;
    asked.delete(job);
    waiting.set(row.id, row);
    if (isAsked(row.id)) arm();
    else background(settle(row, "granted"));
  }

  /** Cancelled, or failed on its way to waiting: its questions go with it. */
  function onEnded(job: string): void {
    const early = asked.get(job);
    asked.delete(job);
    if (early !== undefined) background(plugins.withdraw(early.id));
    for (const row of [...waiting.values()]) if (row.job === job) background(drop(row));
  }

  /** Nobody needs the answer any more. */
  async function drop(row: PromptRow): Promise<void> {
    await settle(row, "dropped");
    await plugins.withdraw(row.id);
  }

  /** With another version, or without the plugin, its questions are gone: the stage itself will tell what it needs. */
  function onChanged(plugin: string): void {
    for (const row of [...waiting.values()]) {
      if (row.plugin === plugin && !isAsked(row.id)) background(settle(row, "granted"));
    }
  }

  /** Questions of jobs that ended while no host ran to hear of it. */
  async function tidy(): Promise<void> {
    for (const { id, kind, job } of plugins.consents()) {
      if (kind !== "request" || job === undefined || waiting.has(id)) continue;
      const status = await statusOf(job);
      if (status === undefined || isEnded(status)) await plugins.withdraw(id);
    }
  }

  const statusOf = (job: string) =>
    engine().jobs.get(job).then(({ status }) => status, () => undefined);

  const stops = [
    events.on("consent.decided", ({ consent, granted }) => {
      const row = waiting.get(consent);
      if (row === undefined) return;
      const no = expired.has(consent) ? "expired" : "denied";
      background(settle(row, granted.length > 0 ? "granted" : no));
    }),
    events.on("job.event", ({ job_id, status }) => {
      if (status === "waiting") onWaiting(job_id);
      else if (isEnded(status) && asked.size + waiting.size > 0) onEnded(job_id);
    }),
    events.on("plugin.changed", ({ plugin }) => onChanged(plugin)),
  ];

  async function examine({ job, plugin: id, error, uses }: FailedStage): Promise<unknown> {
    if (!(error instanceof SandboxError) || NO_REASON_TO_ASK.has(error.code)) return error;
    const plugin = plugins.get(id);
    const { keys, refused } = await findMissing(uses.uses, {
      // Nobody is asked to let a plugin run programs that the operator does not trust.
      declared: {
        ...declaredGrants(plugin.manifest),
        ...(plugin.trust === "trusted" ? {} : { run: [] }),
      },
      granted: plugin.granted,
      network,
      dataDir: join(options.dataDir, "plugins", id, "data"),
      config: plugin.config,
    });
    if (keys.length === 0) return withRefused(error, refused);
    if (await countPrompts(sql.db, job.id) >= MAX_PROMPTS) {
      const why = `it has asked ${MAX_PROMPTS} times already`;
      return new CarrelError(
        "denied",
        `Cannot go on with "${id}": it needs ${someOf(keys)}, and ${why}`,
        { details: { permissions: [...keys] } },
      );
    }
    const consent = await plugins.ask(id, keys, { job: job.id });
    const now = clock.now();
    const row: PromptRow = {
      id: consent.id,
      job: job.id,
      plugin: id,
      keys,
      asked: new Date(now).toISOString(),
      expiresMs: now + timeoutMs,
    };
    asked.set(job.id, row);
    // Cancelled while the question was put: nothing is heard of it any more.
    const status = await statusOf(job.id);
    if (status === undefined || isEnded(status)) onEnded(job.id);
    const texts = consent.permissions.slice(0, MAX_TOLD).map(({ text, key }) => `${text} (${key})`);
    const more = consent.permissions.length - texts.length;
    return new JobWaits(
      `needs a permission: ${texts.join("; ")}${
        more === 0 ? "" : `; and ${more} more`
      }. Answer with: carrel plugin consent ${row.id}`,
      (tx) => savePrompt(tx, row),
    );
  }

  function show({ id, job, asked, expiresMs }: PromptRow): Prompt {
    const { plugin, name, permissions } = plugins.consent(id);
    return {
      id,
      job,
      plugin,
      name,
      permissions,
      asked,
      expires: new Date(expiresMs).toISOString(),
    };
  }

  function find(id: string): PromptRow {
    const row = waiting.get(id);
    if (row !== undefined && isAsked(id)) return row;
    throw new CarrelError("not_found", `Cannot find the prompt "${id}": none of that id waits.`);
  }

  return {
    async start() {
      for (const row of await waitingPrompts(sql.db)) {
        const status = await statusOf(row.job);
        waiting.set(row.id, row);
        // Decided while no host ran to hear of it, or just before: the stage itself will tell.
        if (status !== "waiting") await drop(row);
        else if (!isAsked(row.id)) await settle(row, "granted");
      }
      await tidy();
      arm();
    },
    examine,
    list: () => [...waiting.values()].filter(({ id }) => isAsked(id)).map(show),
    get: (id) => show(find(id)),
    async decide(id, grants, by) {
      find(id);
      await plugins.decide(id, grants, by);
    },
    async [Symbol.asyncDispose]() {
      for (const stop of stops) stop();
      takeBack?.();
      while (working.size > 0) await Promise.all(working);
    },
  };
}

function denial(row: PromptRow, state: PromptState, timeoutMs: number): JobError {
  const why = state === "expired" ? `nobody granted within ${spell(timeoutMs)}` : "was not granted";
  return {
    code: "denied",
    message: `Cannot go on with "${row.plugin}": it needs ${someOf(row.keys)}, which ${why}`,
    retryable: false,
    details: { permissions: [...row.keys], prompt: row.id },
  };
}

/** The first of many: the question itself has all of them. */
function someOf(keys: readonly string[]): string {
  const more = keys.length - MAX_TOLD;
  return keys.slice(0, MAX_TOLD).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** A span of time as people say it: seconds below two minutes. */
function spell(ms: number): string {
  const [amount, unit] = ms < 120_000
    ? [Math.round(ms / 1000), "second"]
    : [Math.round(ms / 60_000), "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}

/** The same error, with what the plugin was refused beside it. */
function withRefused(error: SandboxError, refused: readonly Refused[]): SandboxError {
  if (refused.length === 0) return error;
  const { code, message, retryable, data, logTail } = error;
  const list = refused.slice(0, 20).map((one) => ({ ...one }));
  return new SandboxError(code, message, retryable, { ...data, refused: list }, logTail);
}
