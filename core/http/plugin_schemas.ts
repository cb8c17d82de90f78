/** The shapes of plugins, consents and the audit on the wire. */
import { z } from "@hono/zod-openapi";
import { CONSENT_KINDS, DURATIONS, VERSION_STATES } from "../plugins/plugins.ts";

const plain = z.record(z.string(), z.unknown());

/** Where a setting leads; `addresses` are the private ones. */
export const placeSchema = z.object({
  host: z.string(),
  port: z.number().int(),
  addresses: z.array(z.string()),
}).openapi("Place");

export const permissionSchema = z.object({
  key: z.string(),
  permission: z.string(),
  value: z.string(),
  text: z.string(),
  risk: z.enum(["low", "medium", "high"]),
  reason: z.string().nullable(),
  granted: z.boolean(),
  /** Somebody said no; neither granted nor denied means that nobody was asked yet. */
  denied: z.boolean(),
  duration: z.enum(DURATIONS).nullable(),
  until: z.string().nullable(),
  place: placeSchema.nullable(),
}).openapi("Permission");

export const healthSchema = z.object({
  status: z.enum(["healthy", "unhealthy", "unknown"]),
  message: z.string().nullable(),
}).openapi("Health");

/** A limit of which a plugin asks for more than the default, in plain words. `given` is what it gets. */
const limitRequestSchema = z.object({
  limit: z.string(),
  text: z.string(),
  asked: z.number(),
  default: z.number(),
  given: z.number(),
}).openapi("LimitRequest");

export const pluginSchema = z.object({
  id: z.string(),
  kind: z.string(),
  name: z.string(),
  description: z.string(),
  version: z.string(),
  origin: z.string(),
  builtin: z.boolean(),
  enabled: z.boolean(),
  trust: z.enum(["sandboxed", "restricted", "trusted"]),
  digest: z.string(),
  match: z.array(z.string()),
  media_types: z.array(z.string()),
  formats: z.array(z.string()),
  permissions: z.array(permissionSchema),
  limits: z.record(z.string(), z.number()),
  limit_requests: z.array(limitRequestSchema),
  config: plain,
  state: z.enum(["enabled", "disabled", "quarantined"]),
  signed_by: z.string().nullable(),
  /** Signed by a key that the operator trusts, or built in. */
  verified: z.boolean(),
  auto_update: z.boolean(),
  /** Why a new version did not go live, or why the plugin was set aside. */
  error: z.string().nullable(),
  last_health: healthSchema.extend({ time: z.string() }).nullable(),
  health: healthSchema.optional(),
}).openapi("Plugin");

export const pluginVersionSchema = z.object({
  version: z.string(),
  digest: z.string(),
  state: z.enum(VERSION_STATES),
  live: z.boolean(),
  origin: z.string(),
  reference: z.string(),
  resolved: z.string(),
  signed_by: z.string().nullable(),
  verified: z.boolean(),
  error: z.string().nullable(),
  created: z.string(),
  last_live: z.string().nullable(),
}).openapi("PluginVersion");

/** What a plugin is handed without a permission, because it takes it: `key` is `media_types:text/html`. */
const takeSchema = z.object({ key: z.string(), text: z.string() }).openapi("Take");

export const consentSchema = z.object({
  id: z.string(),
  plugin: z.string(),
  name: z.string(),
  version: z.string(),
  description: z.string(),
  origin: z.string(),
  digest: z.string(),
  /** A new plugin, a new version, another plugin under a known id, a setting that leads elsewhere, a job's need. */
  kind: z.enum(CONSENT_KINDS),
  signed_by: z.string().nullable(),
  verified: z.boolean(),
  permissions: z.array(permissionSchema),
  takes: z.array(takeSchema),
  warnings: z.array(z.string()),
  limits: z.record(z.string(), z.number()),
  limit_requests: z.array(limitRequestSchema),
  /** What is installed under this id. */
  before: z.object({ version: z.string(), origin: z.string() }).nullable(),
  /** Of an update: keys of permissions, limits of which it asks for more or less, what it is handed. */
  difference: z.object({
    added: z.array(z.string()),
    removed: z.array(z.string()),
    same: z.array(z.string()),
    limits: z.record(z.string(), z.object({ from: z.number(), to: z.number() })),
    takes: z.object({ added: z.array(takeSchema), removed: z.array(takeSchema) }),
  }).nullable(),
  job: z.string().nullable(),
  asked_by: z.string(),
  created: z.string(),
}).openapi("Consent");

/**
 * `url`: the URL of a `carrel.yaml`, a `.tgz` or a `.carrel` file; `npm:name@version`; `git+https://…#tag`; an id of
 * the registry; the absolute path of a folder or a `.carrel` file on the host's machine.
 */
export const installRequestSchema = z.object({ url: z.string().min(1).max(4096) }).strict().openapi(
  "InstallRequest",
);

const grantSchema = z.object({
  key: z.string(),
  duration: z.enum(DURATIONS).optional(),
  until: z.iso.datetime({ offset: true }).or(z.iso.date()).optional(),
  job: z.string().optional(),
}).strict().openapi("Grant");

/**
 * `grants`: the permissions to grant, by key; the others are denied. `duration` and `until` hold for those that
 * say nothing else: `always` unless said.
 */
export const decisionSchema = z.object({
  decision: z.enum(["grant", "deny"]),
  grants: z.array(z.union([z.string(), grantSchema])).max(1000).default([]),
  duration: z.enum(DURATIONS).optional(),
  until: z.iso.datetime({ offset: true }).or(z.iso.date()).optional(),
}).strict().openapi("Decision");

/** What is left out stays. `config` is all that is set; the other settings take their defaults. */
export const configRequestSchema = z.object({
  config: plain.optional(),
  limits: z.record(z.string(), z.number().nullable()).optional(),
  auto_update: z.boolean().optional(),
}).strict().openapi("ConfigRequest");

export const availableSchema = z.object({
  items: z.array(
    z.object({
      id: z.string(),
      kind: z.string(),
      name: z.string(),
      description: z.string(),
      author: z.string().nullable(),
      repository: z.string().nullable(),
      verified: z.boolean(),
      compatible: z.boolean(),
      /** The newest one that this Carrel can run. */
      latest: z.string().nullable(),
      /** The live version, where it is installed. */
      installed: z.string().nullable(),
      versions: z.array(z.object({
        version: z.string(),
        reference: z.string(),
        carrel: z.string().nullable(),
        compatible: z.boolean(),
      })),
    }),
  ),
  registry: z.string(),
  fetched: z.string(),
  stale: z.boolean(),
  problem: z.string().nullable(),
}).openapi("Available");

export const auditRowSchema = z.object({
  host: z.string(),
  seq: z.number().int(),
  time: z.string(),
  event: z.string(),
  plugin: z.string().nullable(),
  digest: z.string().nullable(),
  actor: z.string().nullable(),
  job: z.string().nullable(),
  details: plain,
}).openapi("AuditRow");

/** A permission that is declared, and how it was used. */
export const observedSchema = z.object({
  key: z.string(),
  granted: z.boolean(),
  count: z.number().int(),
  first: z.string().nullable(),
  last: z.string().nullable(),
}).openapi("Observed");

export const verificationSchema = z.object({
  ok: z.boolean(),
  rows: z.number().int(),
  problems: z.array(z.object({ seq: z.number().nullable(), code: z.string(), what: z.string() })),
  problem_count: z.number().int(),
  unvouched: z.number().int(),
}).openapi("AuditVerification");

export type PluginJson = z.infer<typeof pluginSchema>;
export type ConsentJson = z.infer<typeof consentSchema>;
export type PluginVersionJson = z.infer<typeof pluginVersionSchema>;
export type AvailableJson = z.infer<typeof availableSchema>;
export type AuditRowJson = z.infer<typeof auditRowSchema>;
export type ObservedJson = z.infer<typeof observedSchema>;
export type VerificationJson = z.infer<typeof verificationSchema>;
