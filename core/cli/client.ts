/** The HTTP API, as functions. Types are those of the wire; errors are `CliError`s made of problem documents. */
import type {
  AcceptedJson,
  ArtifactJson,
  AttributionJson,
  AuditRowJson,
  AvailableJson,
  ConsentJson,
  ContentJson,
  CreatedTokenJson,
  EventPageJson,
  GenealogyJson,
  JobDetailJson,
  JobEventJson,
  JobJson,
  JobLogJson,
  LoggedEventJson,
  NewScheduleJson,
  ObservedJson,
  PageJson,
  PluginJson,
  PluginVersionJson,
  PrunedJson,
  RetriedAllJson,
  RetryAllRequestJson,
  ScheduleChangeJson,
  ScheduleJson,
  SearchAnswerJson,
  TokenJson,
  VerificationJson,
} from "./wire.ts";
import { type FilePart, multipart } from "./multipart.ts";
import { createCapabilityClient } from "./capability_client.ts";
import { createRunClient } from "./run_client.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";
import { watchJob, type WatchOptions } from "./watch.ts";
import { watchEvents, type WatchEventsOptions } from "./watch_events.ts";

export interface ImportSettings {
  readonly plugin?: string | undefined;
  readonly priority?: number | undefined;
  readonly collection?: string | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ExportRequest {
  readonly source_ids: readonly string[];
  readonly format: string;
  readonly plugin?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  readonly priority?: number | undefined;
  readonly provenance?: { readonly version_of?: string; readonly reason?: string } | undefined;
}

export interface SearchSettings {
  readonly k?: number | undefined;
  readonly collection?: string | undefined;
  readonly type?: string | undefined;
  readonly language?: string | undefined;
}

export interface ListSettings {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly [filter: string]: string | number | boolean | undefined;
}

/** How long grants hold that say nothing else. */
export interface Holds {
  readonly duration?: "once" | "job" | "until" | "always";
  readonly until?: string;
}

/** The answer of an install. */
export interface InstalledJson {
  readonly consent: ConsentJson | null;
  readonly plugin: PluginJson | null;
  readonly unchanged: boolean;
}

export type Client = ReturnType<typeof createClient>;

/** The path of a content or an artifact; which one it is, its id says. */
export function ownerPath(id: string): string {
  return `${id.startsWith("artifact_") ? "/api/artifacts" : "/api/content"}/${part(id)}`;
}

const part = encodeURIComponent;

function importFields(settings: ImportSettings) {
  return {
    plugin: settings.plugin,
    priority: settings.priority,
    collection: settings.collection,
    metadata: settings.metadata,
  };
}

/** A client of one host. */
export function createClient(options: TransportOptions) {
  const http: Transport = createTransport(options);
  const { json } = http;
  /** Makes a repeated POST the same one. */
  const once = () => ({ "idempotency-key": crypto.randomUUID() });

  return {
    url: http.url,

    /** Whether a host answers there, and which version it is. */
    healthz: (signal?: AbortSignal) =>
      json<{ status: string; version?: string }>("GET", "/healthz", { signal }),
    /** Stores by name; a host that is not ready answers 503 with the same body. */
    readyz: () =>
      json<{ status: string; stores: Record<string, boolean> }>("GET", "/readyz", {
        accept: [503],
      }),

    importUrl: (url: string, settings: ImportSettings = {}) =>
      json<AcceptedJson>("POST", "/api/content/import", {
        body: { url, ...importFields(settings) },
        headers: once(),
        signal: settings.signal,
      }),

    importFile(
      file: FilePart,
      settings: ImportSettings & { readonly onBytes?: ((sent: number) => void) | undefined } = {},
    ): Promise<AcceptedJson> {
      const fields: Record<string, string> = {};
      for (const [name, value] of Object.entries(importFields(settings))) {
        if (value === undefined) continue;
        fields[name] = typeof value === "object" ? JSON.stringify(value) : String(value);
      }
      const { body, contentType } = multipart(fields, file, { onBytes: settings.onBytes });
      return json<AcceptedJson>("POST", "/api/content/import", {
        raw: body,
        headers: { ...once(), "content-type": contentType },
        signal: settings.signal,
      });
    },

    export: (request: ExportRequest) =>
      json<AcceptedJson>("POST", "/api/content/export", { body: request, headers: once() }),

    search: (q: string, settings: SearchSettings = {}) =>
      json<SearchAnswerJson>("GET", "/api/search", { query: { q, ...settings } }),

    contents: (filter: ListSettings = {}) =>
      json<PageJson<ContentJson>>("GET", "/api/content", { query: filter }),
    content: (id: string) => json<ContentJson>("GET", `/api/content/${part(id)}`),
    deleteContent: (id: string, hard: boolean) =>
      json<unknown>("DELETE", `/api/content/${part(id)}`, {
        query: hard ? { hard_delete: true } : {},
      }),
    artifacts: (filter: ListSettings = {}) =>
      json<PageJson<ArtifactJson>>("GET", "/api/artifacts", { query: filter }),
    artifact: (id: string) => json<ArtifactJson>("GET", `/api/artifacts/${part(id)}`),
    deleteArtifact: (id: string, hard: boolean) =>
      json<unknown>("DELETE", `/api/artifacts/${part(id)}`, {
        query: hard ? { hard_delete: true } : {},
      }),
    /** The bytes of a file of a content or an artifact; `size` when the server says it. */
    file: (owner: string, name: string, signal?: AbortSignal) =>
      http.bytes(`${ownerPath(owner)}/files/${part(name)}`, signal),

    jobs: (filter: ListSettings = {}) =>
      json<PageJson<JobJson>>("GET", "/api/jobs", { query: filter }),
    job: (id: string, signal?: AbortSignal) =>
      json<JobDetailJson>("GET", `/api/jobs/${part(id)}`, { signal }),
    cancelJob: (id: string) => json<JobJson>("DELETE", `/api/jobs/${part(id)}`),
    /** @param from The stage from which on it is done anew. */
    retryJob: (id: string, from?: string) =>
      json<JobJson>("POST", `/api/jobs/${part(id)}/retry`, { body: { from } }),
    retryJobs: (request: RetryAllRequestJson) =>
      json<RetriedAllJson>("POST", "/api/jobs/retry", { body: request }),
    pruneJobs: (olderThanDays: number, status: string | undefined, dryRun: boolean) =>
      json<PrunedJson>("POST", "/api/jobs/prune", {
        body: { older_than_days: olderThanDays, status, dry_run: dryRun },
      }),
    /** What was said while a job ran. */
    jobLog: (
      id: string,
      { signal, ...query }: {
        readonly after?: number | undefined;
        readonly level?: string | undefined;
        /** Seconds to wait for a line where there is none yet. */
        readonly wait?: number | undefined;
        readonly signal?: AbortSignal | undefined;
      } = {},
    ) => json<JobLogJson>("GET", `/api/jobs/${part(id)}/log`, { query, signal }),
    /** All events of a job from its first, then live ones to its end; goes on over lost connections. */
    watchJob: (
      id: string,
      settings: WatchOptions = {},
    ): AsyncIterable<JobEventJson> => watchJob(http, id, settings),

    runs: createRunClient(http),
    capabilities: createCapabilityClient(http),

    plugins: (filter: { kind?: string | undefined; enabled?: boolean | undefined } = {}) =>
      json<PageJson<PluginJson>>("GET", "/api/plugins", { query: filter }),
    plugin: (id: string) => json<PluginJson>("GET", `/api/plugins/${part(id)}`),
    pluginHealth: (id: string) =>
      json<{ status: string; message: string | null }>("GET", `/api/plugins/${part(id)}/health`),
    setPluginEnabled: (id: string, enabled: boolean) =>
      json<PluginJson>("POST", `/api/plugins/${part(id)}/${enabled ? "enable" : "disable"}`),
    uninstallPlugin: (id: string, deleteData = false) =>
      json<unknown>("DELETE", `/api/plugins/${part(id)}`, {
        query: deleteData ? { delete_data: true } : {},
      }),
    /** Fetches and bundles a plugin; nothing of it runs before `decide`. */
    installPlugin: (url: string, signal?: AbortSignal) =>
      json<InstalledJson>("POST", "/api/plugins/install", { body: { url }, signal }),
    consents: () => json<{ items: readonly ConsentJson[] }>("GET", "/api/plugins/consents"),
    /** Asks anew about what is not granted. */
    askConsent: (id: string) =>
      json<{ consent: ConsentJson | null }>("POST", `/api/plugins/${part(id)}/consent`, {
        body: {},
      }),
    decide: (
      consent: string,
      decision: "grant" | "deny",
      grants: readonly string[] = [],
      holds: Holds = {},
    ) =>
      json<{ plugin: PluginJson | null }>("POST", `/api/plugins/consents/${part(consent)}`, {
        body: { decision, grants, ...holds },
      }),
    /** The JSON Schema of its settings. */
    pluginConfigSchema: (id: string) =>
      json<{ readonly properties?: Readonly<Record<string, { readonly description?: unknown }>> }>(
        "GET",
        `/api/plugins/${part(id)}/config-schema`,
      ),
    rollbackPlugin: (id: string, version?: string) =>
      json<PluginJson>("POST", `/api/plugins/${part(id)}/rollback`, { body: { version } }),
    configurePlugin: (
      id: string,
      change: {
        readonly config?: Readonly<Record<string, unknown>> | undefined;
        readonly limits?: Readonly<Record<string, number | null>> | undefined;
        readonly auto_update?: boolean | undefined;
      },
    ) =>
      json<{ plugin: PluginJson; consent: ConsentJson | null }>(
        "PUT",
        `/api/plugins/${part(id)}/config`,
        { body: change },
      ),
    tightenPlugin: (id: string, dryRun: boolean) =>
      json<{ plugin: PluginJson; dropped: readonly string[] }>(
        "POST",
        `/api/plugins/${part(id)}/tighten`,
        { query: dryRun ? { dry_run: true } : {} },
      ),
    revokeGrants: (id: string, grants: readonly string[]) =>
      json<PluginJson>("POST", `/api/plugins/${part(id)}/revoke`, { body: { grants } }),
    pluginVersions: (id: string) =>
      json<{ items: readonly PluginVersionJson[] }>("GET", `/api/plugins/${part(id)}/versions`),
    availablePlugins: (filter: { kind?: string | undefined; refresh?: boolean | undefined } = {}) =>
      json<AvailableJson>("GET", "/api/plugins/available", { query: filter }),
    pluginAudit: (id: string, filter: ListSettings = {}) =>
      json<PageJson<AuditRowJson> & { observed: readonly ObservedJson[] }>(
        "GET",
        `/api/plugins/${part(id)}/audit`,
        { query: filter },
      ),
    audit: (filter: ListSettings = {}) =>
      json<PageJson<AuditRowJson>>("GET", "/api/audit", { query: filter }),
    verifyAudit: () => json<VerificationJson>("GET", "/api/audit/verification"),

    events: (filter: ListSettings = {}) =>
      json<EventPageJson>("GET", "/api/events", { query: filter }),
    /** Live events, from where one left; goes on over lost connections until the signal. */
    watchEvents: (settings: WatchEventsOptions): AsyncIterable<LoggedEventJson> =>
      watchEvents(http, settings),

    schedules: (filter: ListSettings = {}) =>
      json<PageJson<ScheduleJson>>("GET", "/api/schedules", { query: filter }),
    schedule: (id: string) => json<ScheduleJson>("GET", `/api/schedules/${part(id)}`),
    addSchedule: (schedule: NewScheduleJson) =>
      json<ScheduleJson>("POST", "/api/schedules", { body: schedule }),
    changeSchedule: (id: string, change: ScheduleChangeJson) =>
      json<ScheduleJson>("PATCH", `/api/schedules/${part(id)}`, { body: change }),
    removeSchedule: (id: string) => json<unknown>("DELETE", `/api/schedules/${part(id)}`),
    runSchedule: (id: string) => json<{ job: string }>("POST", `/api/schedules/${part(id)}/run`),

    genealogy: (id: string, depth?: number) =>
      json<GenealogyJson>("GET", `/api/provenance/${nodeType(id)}/${part(id)}/genealogy`, {
        query: { depth },
      }),
    attribution: (id: string) =>
      json<AttributionJson>("GET", `/api/provenance/${nodeType(id)}/${part(id)}/attribution`),

    tokens: () => json<PageJson<TokenJson>>("GET", "/api/tokens"),
    createToken: (token: { name: string; role: string; expires?: string }) =>
      json<CreatedTokenJson>("POST", "/api/tokens", { body: token }),
    revokeToken: (id: string) => json<unknown>("DELETE", `/api/tokens/${part(id)}`),
  };
}

/** The word before an id's first `_`: what kind of thing it names. */
export function nodeType(id: string): string {
  return /^[a-z]+(?=_)/.exec(id)?.[0] ?? "node";
}
