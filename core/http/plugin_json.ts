/** Plugins, consents and the audit as the API says them. */
import type { Health } from "../../sdk/types.ts";
import type { AuditRow, Verification } from "../audit/audit.ts";
import type { ObservedEntry } from "../audit/observed.ts";
import type { AvailableList } from "../plugins/available.ts";
import type { Consent, PermissionRequest, Plugin, PluginVersion } from "../plugins/plugins.ts";
import type {
  AuditRowJson,
  AvailableJson,
  ConsentJson,
  ObservedJson,
  PluginJson,
  PluginVersionJson,
  VerificationJson,
} from "./plugin_schemas.ts";

export function permissionJson(request: PermissionRequest): PluginJson["permissions"][number] {
  return {
    key: request.key,
    permission: request.permission,
    value: request.value,
    text: request.text,
    risk: request.risk,
    reason: request.reason ?? null,
    granted: request.granted,
    denied: request.denied,
    duration: request.duration ?? null,
    until: request.until ?? null,
    place: request.place === undefined
      ? null
      : { ...request.place, addresses: [...request.place.addresses] },
  };
}

export function pluginJson(
  plugin: Plugin,
  permissions: readonly PermissionRequest[],
  health?: PluginJson["health"],
): PluginJson {
  const { manifest } = plugin;
  return {
    id: plugin.id,
    kind: plugin.kind,
    name: manifest.name,
    description: manifest.description,
    version: plugin.version,
    origin: plugin.origin,
    builtin: plugin.builtin,
    enabled: plugin.enabled,
    trust: plugin.trust,
    digest: plugin.digest,
    match: [...manifest.match],
    media_types: [...manifest.media_types],
    formats: [...manifest.formats],
    permissions: permissions.map(permissionJson),
    limits: { ...plugin.limits },
    limit_requests: plugin.limitRequests.map((request) => ({ ...request })),
    config: { ...plugin.config },
    state: plugin.state,
    signed_by: plugin.signedBy ?? null,
    verified: plugin.verified,
    auto_update: plugin.autoUpdate,
    error: plugin.error ?? null,
    last_health: plugin.health === undefined
      ? null
      : { ...healthJson(plugin.health), time: plugin.health.time },
    ...(health === undefined ? {} : { health }),
  };
}

export function healthJson(health: Health): NonNullable<PluginJson["health"]> {
  return { status: health.status, message: health.message ?? null };
}

export function consentJson(consent: Consent): ConsentJson {
  return {
    id: consent.id,
    plugin: consent.plugin,
    name: consent.name,
    version: consent.version,
    description: consent.description,
    origin: consent.origin,
    digest: consent.digest,
    kind: consent.kind,
    signed_by: consent.signedBy ?? null,
    verified: consent.verified,
    permissions: consent.permissions.map(permissionJson),
    takes: consent.takes.map((take) => ({ ...take })),
    warnings: [...consent.warnings],
    limits: { ...consent.limits },
    limit_requests: consent.limitRequests.map((request) => ({ ...request })),
    before: consent.before ?? null,
    difference: consent.difference === undefined ? null : {
      added: [...consent.difference.added],
      removed: [...consent.difference.removed],
      same: [...consent.difference.same],
      limits: { ...consent.difference.limits },
      takes: {
        added: consent.difference.takes.added.map((take) => ({ ...take })),
        removed: consent.difference.takes.removed.map((take) => ({ ...take })),
      },
    },
    job: consent.job ?? null,
    asked_by: consent.askedBy,
    created: consent.created,
  };
}

export function versionJson(version: PluginVersion): PluginVersionJson {
  return {
    version: version.version,
    digest: version.digest,
    state: version.state,
    live: version.live,
    origin: version.origin,
    reference: version.reference,
    resolved: version.resolved,
    signed_by: version.signedBy ?? null,
    verified: version.verified,
    error: version.error ?? null,
    created: version.created,
    last_live: version.lastLive ?? null,
  };
}

export function availableJson(
  list: AvailableList,
  installed: (id: string) => string | undefined,
): AvailableJson {
  return {
    items: list.plugins.map((plugin) => ({
      id: plugin.id,
      kind: plugin.kind,
      name: plugin.name,
      description: plugin.description,
      author: plugin.author ?? null,
      repository: plugin.repository ?? null,
      verified: plugin.verified,
      compatible: plugin.compatible,
      latest: plugin.latest?.version ?? null,
      installed: installed(plugin.id) ?? null,
      versions: plugin.versions.map(({ version, reference, carrel, compatible }) => ({
        version,
        reference,
        carrel: carrel ?? null,
        compatible,
      })),
    })),
    registry: list.registry,
    fetched: list.fetched,
    stale: list.stale,
    problem: list.problem ?? null,
  };
}

export function auditRowJson(row: AuditRow): AuditRowJson {
  return {
    host: row.host,
    seq: row.seq,
    time: row.time,
    event: row.event,
    plugin: row.plugin ?? null,
    digest: row.digest ?? null,
    actor: row.actor ?? null,
    job: row.job ?? null,
    details: { ...row.details },
  };
}

export function observedJson(entry: ObservedEntry): ObservedJson {
  return {
    key: `${entry.permission}:${entry.value}`,
    granted: entry.granted,
    count: entry.count,
    first: entry.first ?? null,
    last: entry.last ?? null,
  };
}

export function verificationJson(found: Verification): VerificationJson {
  return {
    ok: found.ok,
    rows: found.rows,
    problems: found.problems.map(({ seq, code, what }) => ({ seq, code, what })),
    problem_count: found.problemCount,
    unvouched: found.unvouched,
  };
}
