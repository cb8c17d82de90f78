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
  GenealogyJson,
  JobEventJson,
  JobJson,
  ObservedJson,
  PageJson,
  PluginJson,
  PluginVersionJson,
  SearchAnswerJson,
  TokenJson,
  VerificationJson,
} from "./wire.ts";
import { type FilePart, multipart } from "./multipart.ts";
import { createTransport, type Transport, type TransportOptions } from "./transport.ts";
import { watchJob } from "./watch.ts";

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
    token: options.token,

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
    /** The bytes of a file of a content or an artifact; `size` when the server says it. */
    file: (owner: string, name: string, signal?: AbortSignal) =>
      http.bytes(`${ownerPath(owner)}/files/${part(name)}`, signal),

    jobs: (filter: ListSettings = {}) =>
      json<PageJson<JobJson>>("GET", "/api/jobs", { query: filter }),
    job: (id: string, signal?: AbortSignal) =>
      json<JobJson>("GET", `/api/jobs/${part(id)}`, { signal }),
    cancelJob: (id: string) => json<JobJson>("DELETE", `/api/jobs/${part(id)}`),
    retryJob: (id: string) =>
      json<JobJson>("POST", `/api/jobs/${part(id)}/retry`, { body: { manual: true } }),
    /** All events of a job from its first, then live ones to its end; goes on over lost connections. */
    watchJob: (
      id: string,
      settings: { readonly after?: number | undefined; readonly signal?: AbortSignal | undefined } =
        {},
    ): AsyncIterable<JobEventJson> => watchJob(http, id, settings),

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
