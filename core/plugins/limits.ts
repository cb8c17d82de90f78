/**
 * The limits of a plugin's runners: what its manifest asks for, what this host gives. A plugin that says nothing
 * gets the default; one that asks for more gets it, up to the ceiling; what the operator sets for a plugin stands
 * above both.
 */
import { z } from "zod";
import { DEFAULT_LIMITS, type Limits } from "../../sandbox/types.ts";

export type LimitName = keyof Limits;

/** Limits that are other than they would be. */
export type LimitsChange = { readonly [K in LimitName]?: number | undefined };

/** What this host gives to plugins. */
export interface HostLimits {
  /** To one that asks for nothing. Never above the ceiling. */
  readonly default: Limits;
  /** To any, unless the operator sets more for it. */
  readonly ceiling: Limits;
}

/** The most that a plugin gets by asking, unless the operator says otherwise. */
export const DEFAULT_CEILING: Limits = {
  memory_mb: 4096,
  cpu_s: 3600,
  wall_s: 7200,
  output_mb: 512,
  disk_mb: 4096,
  concurrency: 8,
  log_rate: 5000,
  stream_rate_kb: 8192,
  message_rate: 100_000,
  message_rate_mb: 512,
  event_kb: 1024,
  request_mb: 256,
  requests: 1024,
  in_flight_mb: 512,
};

const within = (what: string, min: number, max: number, fits: (value: number) => boolean) => {
  const error = `expected ${what} from ${min} to ${max}`;
  const isIn = (value: number) => value >= min && value <= max && fits(value);
  return z.number({ error }).refine(isIn, { error }).optional();
};
const whole = (min: number, max: number) =>
  within("a whole number", min, max, (value) => Number.isInteger(value));
const seconds = within("a number of seconds", 0.1, 86_400, () => true);

const values = {
  memory_mb: whole(64, 65_536),
  cpu_s: seconds,
  wall_s: seconds,
  output_mb: whole(1, 4096),
  disk_mb: whole(0, 65_536),
  concurrency: whole(1, 64),
  log_rate: whole(1, 100_000),
  stream_rate_kb: whole(1, 1_048_576),
  message_rate: whole(100, 1_000_000),
  message_rate_mb: whole(1, 4096),
  event_kb: whole(64, 65_536),
  request_mb: whole(1, 4096),
  // An honest guest has up to 32 under way.
  requests: whole(32, 65_536),
  in_flight_mb: whole(1, 4096),
} satisfies Record<LimitName, unknown>;

export const LIMIT_NAMES = Object.keys(values) as readonly LimitName[];

/** Some limits: those a manifest asks for, those an operator sets. */
export const limitsChangeSchema = z.strictObject(values, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown key: expected one of ${LIMIT_NAMES.join(", ")}`
      : undefined,
});

/** The operator's `limits`, in `carrel.yaml`. A default above a ceiling that was given with it is a mistake. */
export const hostLimitsSchema = z.strictObject({
  default: limitsChangeSchema.prefault({}),
  ceiling: limitsChangeSchema.prefault({}),
}).superRefine(({ default: given, ceiling }, ctx) => {
  for (const name of LIMIT_NAMES) {
    const [usual, most] = [given[name], ceiling[name]];
    if (usual === undefined || most === undefined || usual <= most) continue;
    const message = `${usual} is above the ceiling, ${most}`;
    ctx.addIssue({ code: "custom", path: ["default", name], message });
  }
});

/** The operator's words laid over Carrel's own; a word about one of the two moves the other where it must. */
export function hostLimits(
  { default: given = {}, ceiling = {} }: {
    readonly default?: LimitsChange;
    readonly ceiling?: LimitsChange;
  } = {},
): HostLimits {
  const most = everyLimit((name) =>
    ceiling[name] ?? Math.max(DEFAULT_CEILING[name], given[name] ?? 0)
  );
  const usual = everyLimit((name) => Math.min(given[name] ?? DEFAULT_LIMITS[name], most[name]));
  return { default: usual, ceiling: most };
}

/** Of several `changes` the last one that names a limit counts. */
export function limitsOf(
  asked: LimitsChange,
  host: HostLimits,
  ...changes: readonly (LimitsChange | undefined)[]
): Limits {
  return everyLimit((name) => {
    const set = changes.findLast((change) => change?.[name] !== undefined)?.[name];
    return set ?? Math.min(asked[name] ?? host.default[name], host.ceiling[name]);
  });
}

/**
 * What a manifest asks for, whatever this host or its operator gives of it: two versions are compared by it, or what
 * holds one back today would let the next one pass unseen.
 */
export function askedLimits(asked: LimitsChange, host: HostLimits): Limits {
  return everyLimit((name) => asked[name] ?? host.default[name]);
}

/** A limit of which a plugin asks for more than the default. */
export interface LimitRequest {
  readonly limit: LimitName;
  /** In plain words: "Asks for 64 GiB of memory; this host gives at most 4 GiB". */
  readonly text: string;
  readonly asked: number;
  readonly default: number;
  /** What it gets. */
  readonly given: number;
}

/** What a plugin asks for above the default, with what it gets of it: `given` are the limits that hold. */
export function limitRequests(
  asked: LimitsChange,
  host: HostLimits,
  given: Limits,
): readonly LimitRequest[] {
  return LIMIT_NAMES.flatMap((limit) => {
    const value = asked[limit];
    const usual = host.default[limit];
    if (value === undefined || value <= usual) return [];
    const gets = given[limit];
    const byHost = Math.min(value, host.ceiling[limit]);
    const amount = amountOf(limit, value);
    const text = gets !== byHost
      ? `Asks for ${amount}; the operator has set ${figure(limit, gets)}`
      : gets < value
      ? `Asks for ${amount}; this host gives at most ${figure(limit, gets)}`
      : `Use up to ${amount}; the default is ${figure(limit, usual)}`;
    return [{ limit, text, asked: value, default: usual, given: gets }];
  });
}

const KIB = 1024;
const MIB = 1024 * 1024;

type Unit = "bytes" | "seconds" | "count";

/** What one of a limit's own unit is, and what it is a limit of. */
const WORDS: Readonly<Record<LimitName, readonly [unit: Unit, factor: number, of: string]>> = {
  memory_mb: ["bytes", MIB, " of memory"],
  cpu_s: ["seconds", 1, " of processor time a call"],
  wall_s: ["seconds", 1, " of time a call"],
  output_mb: ["bytes", MIB, " in one answer"],
  disk_mb: ["bytes", MIB, " of disk"],
  concurrency: ["count", 1, " processes at once"],
  log_rate: ["count", 1, " log lines a second"],
  stream_rate_kb: ["bytes", KIB, " a second on its output streams"],
  message_rate: ["count", 1, " messages a second to the host"],
  message_rate_mb: ["bytes", MIB, " a second in messages to the host"],
  event_kb: ["bytes", KIB, " in one event"],
  request_mb: ["bytes", MIB, " in one request to the host"],
  requests: ["count", 1, " requests to the host at once"],
  in_flight_mb: ["bytes", MIB, " of requests under way in the host"],
};

function amountOf(limit: LimitName, value: number): string {
  return figure(limit, value) + WORDS[limit][2];
}

/** The value with its unit, as people read it: `4 GiB`, `24 h`, `8`. */
export function figure(limit: LimitName, value: number): string {
  const [unit, factor] = WORDS[limit];
  const steps: readonly (readonly [number, string])[] = unit === "bytes"
    ? [[KIB * MIB, " GiB"], [MIB, " MiB"], [KIB, " KiB"]]
    : unit === "seconds"
    ? [[3600, " h"], [60, " min"], [1, " s"]]
    : [];
  const amount = value * factor;
  const [size, name] = steps.find(([size]) => amount >= size) ?? steps.at(-1) ?? [1, ""];
  return `${Math.round(amount / size * 10) / 10}${name}`;
}

function everyLimit(value: (name: LimitName) => number): Limits {
  return Object.fromEntries(LIMIT_NAMES.map((name) => [name, value(name)])) as unknown as Limits;
}
