/** The router of capabilities: finds who serves, calls it at its own desk, and goes on to the next when one is down. */
import type { Pool } from "../../sandbox/types.ts";
import type { AuditSink } from "../audit/audit.ts";
import { CarrelError } from "../errors.ts";
import { JobWaits } from "../jobs/job.ts";
import { createUsageSum } from "../jobs/usage_sum.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import type { FailedStage, Prompts } from "../prompts/prompts.ts";
import { createBreaker } from "./breaker.ts";
import {
  type Capabilities,
  type CapabilityCall,
  type CapabilityInfo,
  type CapabilityResult,
  type HostCapability,
  MAX_DEPTH,
} from "./capabilities.ts";
import { checkInput, checkResult, describeCapability } from "./contracts.ts";
import { codeOf, countsAsDown, goesElsewhere, sentenceOf } from "./failure.ts";
import { guestServices, type HostServices, NO_SERVICES } from "./guest_services.ts";
import { type CapabilityOrder, rank, whyOff } from "./order.ts";
import { usageOf } from "./usage.ts";

export interface CapabilitiesParts {
  readonly plugins: Pick<Plugins, "list" | "find" | "matchCapability" | "runnerSpec">;
  readonly pool: Pick<Pool, "acquire">;
  /** The operator's `capabilities`. @default {} */
  readonly order?: CapabilityOrder | undefined;
  /** Functions of the host. @default [] */
  readonly host?: readonly HostCapability[] | undefined;
  /** @default nothing is written down */
  readonly audit?: Pick<AuditSink, "append"> | undefined;
  /** Asks a person for what a provider was not granted. @default nobody is asked */
  readonly prompts?: Pick<Prompts, "examine"> | undefined;
  /** What providers may be granted of the host. @default nothing */
  readonly services?: HostServices | undefined;
  /** Milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** What has become of one call so far. */
interface Course {
  readonly name: string;
  readonly input: unknown;
  readonly call: CapabilityCall;
  readonly callers: readonly string[];
  readonly usage: ReturnType<typeof createUsageSum>;
  /** What a person may have to be asked about. */
  readonly stages: FailedStage[];
}

export function createCapabilities(parts: CapabilitiesParts): Capabilities {
  const { plugins, pool, order = {}, audit, prompts, services = NO_SERVICES } = parts;
  const hosts = new Map((parts.host ?? []).map((one) => [one.name, one]));
  const breaker = createBreaker(parts.now ?? Date.now);

  const ranked = (name: string) => rank(name, plugins.matchCapability(name), order);

  /** Those that may serve, best first; or why nobody does. */
  function providersOf(name: string, asked: string | undefined): readonly Plugin[] | string {
    if (asked !== undefined) {
      const plugin = plugins.find(asked);
      if (plugin === undefined) return `the plugin "${asked}" is not installed`;
      if (!plugin.manifest.provides.includes(name)) return `"${asked}" does not provide it`;
      const off = whyOff(plugin);
      return off === undefined ? [plugin] : `"${asked}" provides it, but ${off}`;
    }
    const all = ranked(name);
    const able = all.filter(({ out }) => out === undefined).map(({ plugin }) => plugin);
    if (able.length === 0) {
      const why = all.map(({ plugin, out }) => `of "${plugin.id}" ${out}`).join("; ");
      return all.length === 0 ? "no plugin provides it" : `no plugin provides it now: ${why}`;
    }
    const isDown = ({ id }: Plugin) => breaker.openUntil(id) !== undefined;
    return [...able.filter((plugin) => !isDown(plugin)), ...able.filter(isDown)];
  }

  async function call(
    name: string,
    input: unknown,
    options: CapabilityCall,
  ): Promise<CapabilityResult> {
    const callers = options.callers ?? [];
    if (callers.length > MAX_DEPTH) {
      throw new CarrelError(
        "denied",
        `Cannot call "${name}": more than ${MAX_DEPTH} plugins already wait for each other (${
          callers.join(" → ")
        }).`,
      );
    }
    const checked = checkInput(name, input);
    const providers = providersOf(name, options.provider);
    if (typeof providers === "string") {
      throw new CarrelError("no_provider", `Cannot call "${name}": ${providers}.`, {
        details: { capability: name },
      });
    }
    const free = providers.filter(({ id }) => !callers.includes(id));
    if (free.length === 0) {
      throw new CarrelError(
        "denied",
        `Cannot call "${name}": "${providers[0]!.id}" would wait for itself (${
          [...callers, providers[0]!.id].join(" → ")
        }).`,
      );
    }
    return await serveByFirst(free, {
      name,
      input: checked,
      call: options,
      callers,
      usage: createUsageSum(),
      stages: [],
    });
  }

  async function serveByFirst(
    providers: readonly Plugin[],
    course: Course,
  ): Promise<CapabilityResult> {
    const { name, call, callers, usage } = course;
    const failed: { readonly plugin: string; readonly why: string; readonly error: unknown }[] = [];
    for (const plugin of providers) {
      if (call.signal.aborted) throw cancelled(name);
      const note = (digest: string, code: string | undefined) =>
        audit?.append({
          event: "capability.called",
          plugin: plugin.id,
          digest,
          actor: call.actor.user,
          job: call.job.id,
          details: { capability: name, caller: callers.at(-1) ?? null, outcome: code ?? "ok" },
        });
      const tried = { digest: plugin.digest, refused: false };
      try {
        const value = await serve(plugin, course, tried);
        breaker.served(plugin.id);
        note(tried.digest, undefined);
        return {
          value,
          provider: { id: plugin.id, version: plugin.version, digest: tried.digest },
          usage: usage.list(),
          skipped: failed.map(({ plugin, why }) => ({ plugin, why })),
        };
      } catch (error) {
        note(tried.digest, codeOf(error));
        if (call.signal.aborted || !goesElsewhere(error, tried.refused)) {
          throw await outcome(course, error);
        }
        if (countsAsDown(error)) breaker.failed(plugin.id);
        const why = sentenceOf(error);
        failed.push({ plugin: plugin.id, why, error });
        if (providers.length > 1) call.onLog?.("warn", `${plugin.id} did not serve: ${why}`);
      }
    }
    // The one with which another attempt may succeed; else what the one said that should have served.
    const worth = failed.find(({ error }) => (error as { retryable?: unknown }).retryable === true);
    throw await outcome(course, (worth ?? failed[0])?.error);
  }

  /** Calls one provider, with its own grants. */
  async function serve(
    plugin: Plugin,
    course: Course,
    tried: { digest: string; refused: boolean },
  ): Promise<unknown> {
    const { name, input, call, callers, usage, stages } = course;
    const { job, actor, signal } = call;
    const spec = await plugins.runnerSpec(plugin.id, undefined, { job: job.id });
    tried.digest = spec.digest;
    // One more slot for each caller that waits: callers that hold slots and wait for each other's would wait for
    // ever. The deepest call finds a slot that no caller can hold, so that it ends, and with it those above.
    const more = { ...spec.limits, concurrency: spec.limits.concurrency + callers.length };
    const deep = callers.length === 0 ? spec : { ...spec, limits: more };
    await using desk = await pool.acquire(deep, { signal });
    if (!desk.methods.includes(name)) {
      throw new CarrelError(
        "invalid_output",
        `Cannot call "${name}": "${plugin.id}" says that it provides it, and has no such function.`,
      );
    }
    let told = false;
    const onUsage: CapabilityCall["onUsage"] = (one) => {
      usage.add(one);
      call.onUsage?.(one);
    };
    const guest = guestServices({ capabilities: { call: callOther }, services, prompts }, {
      plugin: plugin.id,
      actor,
      job,
      callers,
      onUsage: (one) => {
        told ||= one.plugin === plugin.id;
        onUsage(one);
      },
      onLog: call.onLog,
      onFailed: (stage) => void stages.push(stage),
    });
    try {
      const answer = await desk.call(name, [input], {
        ...guest.options,
        signal,
        job,
        onProgress: call.onProgress,
        onLog: ({ level, message }) => call.onLog?.(level, message),
      });
      const value = checkResult(name, answer, plugin.id);
      // The result of a known capability has a place for it; what `ctx.usage` was told counts instead.
      const said = (value as { usage?: Parameters<typeof usageOf>[1] } | null)?.usage;
      if (!told && describeCapability(name) !== undefined && said) {
        onUsage(usageOf(plugin.id, said));
      }
      return value;
    } catch (error) {
      const uses = desk.uses();
      tried.refused = uses.uses.some(({ permission, granted }) =>
        !granted && (permission === "net" || permission === "services" || permission === "calls")
      );
      stages.push({ job, plugin: plugin.id, error, uses });
      throw error;
    }
  }

  /** A plugin calls another: the same, but functions of the host are for workflows alone. */
  const callOther: Capabilities["call"] = (name, input, options) => {
    if (!hosts.has(name)) return call(name, input, options);
    const why = "it is a function of the host, for steps of workflows";
    return Promise.reject(new CarrelError("denied", `Cannot call "${name}": ${why}.`));
  };

  /** What is thrown in the end: the error, or that a person has to be asked. */
  async function outcome({ call, stages, name }: Course, error: unknown): Promise<unknown> {
    if (call.signal.aborted) return codeOf(error) === "cancelled" ? error : cancelled(name);
    if (call.onFailed !== undefined) {
      for (const stage of stages) call.onFailed(stage);
      return error;
    }
    if (prompts === undefined) return error;
    let known = error;
    for (const stage of stages) {
      const examined = await prompts.examine(stage);
      if (examined instanceof JobWaits) return examined;
      if (stage.error === error) known = examined;
    }
    return known;
  }

  return {
    list() {
      const names = new Set(plugins.list().flatMap(({ manifest }) => manifest.provides));
      const offered = [...names].map((name): CapabilityInfo => ({
        name,
        description: describeCapability(name),
        providers: ranked(name).map(({ plugin, out }) => ({
          plugin: plugin.id,
          enabled: plugin.enabled,
          down: out ?? downText(breaker.openUntil(plugin.id)),
        })),
      }));
      const own = [...hosts.values()].map(({ name, description }): CapabilityInfo => ({
        name,
        description,
        providers: [{ plugin: "host", enabled: true, down: undefined }],
      }));
      return [...own, ...offered.filter(({ name }) => !hosts.has(name))]
        .sort((a, b) => a.name < b.name ? -1 : 1);
    },
    choose(name, provider) {
      const providers = providersOf(name, provider);
      return typeof providers === "string" ? { none: providers } : { plugin: providers[0]!.id };
    },
    host: (name) => hosts.get(name),
    call,
  };
}

function downText(until: number | undefined): string | undefined {
  return until === undefined
    ? undefined
    : `it failed three times within a minute; passed over until ${new Date(until).toISOString()}`;
}

function cancelled(name: string): CarrelError {
  return new CarrelError("cancelled", `Cannot go on with "${name}": it was cancelled.`);
}
