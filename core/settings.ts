/**
 * The operator's settings: `carrel.yaml` in the configuration folder, with the command line laid over it.
 * Every one has a default; an unknown key is an error, so that a typo is not silently ignored.
 */
import { parseDocument } from "yaml";
import { z } from "zod";
import { CarrelError } from "./errors.ts";
import { hostLimits, hostLimitsSchema } from "./plugins/limits.ts";
import { INSTALL_POLICIES } from "./plugins/prepare.ts";
import { trustedKeySchema } from "./plugins/signature.ts";

/** Jobs that may begin: so many a minute, spread evenly but for a burst after a rest. */
const rate = z.strictObject({
  per_minute: z.number().min(0.1).max(6_000),
  burst: z.number().int().min(1).max(1_000).optional(),
});

const settingsSchema = z.strictObject({
  http: z.strictObject({
    /** Loopback unless told otherwise. */
    hostname: z.string().default("127.0.0.1"),
    /** 0 takes a free one. */
    port: z.number().int().min(0).max(65535).default(7420),
    /** Host names beside the listening address by which browsers may call. */
    allowed_hosts: z.array(z.string()).default([]),
    max_upload_mb: z.number().positive().default(512),
  }).prefault({}),
  network: z.strictObject({
    /** `host:port` of private addresses that imports may reach. */
    allow_private: z.array(z.string()).default([]),
  }).prefault({}),
  jobs: z.strictObject({
    /** Jobs at work at the same time. */
    concurrency: z.number().int().min(1).max(256).default(8),
    /** Jobs at once that speak to the same site. */
    per_site: z.number().int().min(1).max(256).default(4),
    /** How long a job waits for an answer about a permission, seconds. */
    prompt_s: z.number().min(1).max(86_400).default(600),
    /** How often jobs may begin, by plugin and by site; of the sites `default` is for those not named. */
    rates: z.strictObject({
      plugin: z.record(z.string().min(1).max(100), rate).default({}),
      site: z.record(z.string().min(1).max(255), rate).default({}),
    }).prefault({}),
    /** Jobs that may wait for their turn before requests are refused with 429: in all, and of one user. */
    max_queued: z.number().int().min(1).max(1_000_000).default(10_000),
    max_queued_per_user: z.number().int().min(1).max(1_000_000).default(2_000),
    /** How long jobs are kept after their end, days; 0 for ever. Failed: and cancelled. */
    keep_days: z.strictObject({
      completed: z.number().int().min(0).max(36_500).default(30),
      failed: z.number().int().min(0).max(36_500).default(90),
    }).prefault({}),
  }).prefault({}),
  events: z.strictObject({
    /** How long the log of events is kept, days. */
    keep_days: z.number().min(1).max(36_500).default(30),
  }).prefault({}),
  plugins: z.strictObject({
    /**
     * What may be installed: what a trusted key signed, that and what the registry lists, or any. Default: by
     * an id of the registry what a trusted key signed or the registry vouches for, else any.
     */
    install_policy: z.enum(INSTALL_POLICIES).optional(),
    /** Whose signatures count. */
    trusted_keys: z.array(trustedKeySchema).default([]),
    /** A list of plugins: a path or a URL. Default: `registry.yaml` beside this file. */
    registry: z.string().optional(),
    /** Where `npm:` plugins come from. Default: what npm itself would use. */
    npm_registry: z.string().optional(),
  }).prefault({}),
  /**
   * By capability the plugins that may serve it, in order; `"*"` stands for all others. Default: `["*"]`, with
   * `generator.extractive` behind it for `text.generate`.
   */
  capabilities: z.record(
    z.string().regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/),
    z.array(z.string().min(1).max(100)).max(100),
  ).default({}),
  runners: z.strictObject({
    /** How long an idle runner is kept, seconds. */
    idle_s: z.number().min(0).default(30),
    /** Idle runners that are kept at once, over all plugins. */
    max_idle: z.number().int().min(0).max(256).default(8),
    /** How long a runner may take until its plugin is loaded, seconds. */
    start_s: z.number().min(1).max(600).default(30),
    /** How long a plugin that is cancelled has to stop by itself, seconds. */
    grace_s: z.number().min(0).max(60).default(2),
    /** Memory of the host for large answers of all runners together, MiB; what does not fit waits in its runner. */
    in_flight_mb: z.number().int().min(16).max(65_536).default(512),
    /** What one version of a plugin may keep in its code cache between two jobs, MiB. */
    code_cache_mb: z.number().int().min(1).max(4096).default(64),
  }).prefault({}),
  /**
   * What a plugin gets that asks for nothing (`default`), and the most that one gets by asking (`ceiling`). The
   * limits of one plugin stand in `plugins.yaml`, where they may be above the ceiling. See `Limits` of the sandbox.
   */
  limits: hostLimitsSchema.prefault({}).transform(hostLimits),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Throws `CarrelError` `invalid_config`, with file and field. */
export function parseSettings(text: string, file: string): Settings {
  const document = parseDocument(text);
  const syntax = document.errors[0];
  if (syntax) throw new CarrelError("invalid_config", `Cannot read "${file}": ${syntax.message}`);
  const parsed = settingsSchema.safeParse(document.toJS({ maxAliasCount: 10 }) ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CarrelError(
    "invalid_config",
    `Cannot read "${file}": ${issue?.path.join(".") || "settings"}: ${issue?.message}`,
  );
}

/** The settings of a configuration folder; the defaults where it has no `carrel.yaml`. */
export async function loadSettings(configDir: string): Promise<Settings> {
  const file = `${configDir}/carrel.yaml`;
  try {
    return parseSettings(await Deno.readTextFile(file), file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return parseSettings("", file);
    throw error;
  }
}
