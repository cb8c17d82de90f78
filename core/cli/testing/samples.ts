/** What the API answers, made up, for tests. */
import type {
  ArtifactJson,
  ConsentJson,
  ContentJson,
  GenealogyJson,
  JobJson,
  PluginJson,
} from "../wire.ts";

export const TIME = "2026-03-04T05:06:07.890Z";

export function jobJson(id: string, more: Partial<JobJson> = {}): JobJson {
  return {
    id,
    kind: id.startsWith("export") ? "export" : "import",
    plugin: "import.text",
    status: "queued",
    stage: null,
    stages: [],
    progress: 0,
    message: null,
    priority: 5,
    attempt: 1,
    tries: 1,
    max_attempts: 4,
    waits_for: null,
    wake_at: null,
    costs: [],
    run_at: TIME,
    parent: null,
    user: "user_1",
    input: { url: "https://example.org/page" },
    result: null,
    error: null,
    created: TIME,
    started: TIME,
    completed: null,
    ...more,
  };
}

export function contentJson(id: string, more: Partial<ContentJson> = {}): ContentJson {
  return {
    id,
    url: "https://example.org/page",
    filename: null,
    type: "webpage",
    title: `Title of ${id}`,
    authors: ["Ada"],
    published: null,
    language: "en",
    summary: null,
    licence: null,
    status: "ready",
    metadata: {},
    warnings: ["the text map of page 2 is broken"],
    collection: "default",
    user: "user_1",
    revision: { id: "revision_1", number: 1, created: TIME },
    files: [{ name: "extracted.txt", media_type: "text/plain", size: 5, digest: "00" }],
    created: TIME,
    updated: TIME,
    ...more,
  };
}

export const ARTIFACT: ArtifactJson = {
  id: "artifact_1",
  type: "ebook",
  title: "A book",
  sources: [{ content: "content_1", revision: "revision_1" }],
  files: [{ name: "a-book.epub", media_type: "application/epub+zip", size: 5, digest: "00" }],
  size: 5,
  parameters: {},
  metadata: {},
  plugin: "export.ebook",
  plugin_digest: "11",
  job: "export_1",
  user: "user_1",
  version_of: null,
  parent: null,
  variant_index: null,
  chosen: null,
  state: "ready",
  run: null,
  reading: { state: "fully_ready", formats: {}, waiting_siblings: 0 },
  created: TIME,
  updated: TIME,
};

export const GENEALOGY: GenealogyJson = {
  root: "artifact_1",
  nodes: [
    { id: "artifact_1", type: "Ebook", label: "A book", properties: {} },
    { id: "content_1", type: "WebPage", label: "A page", properties: {} },
    { id: "plugin_1", type: "PluginVersion", label: "export.ebook 0.1.0", properties: {} },
  ],
  edges: [
    { from: "artifact_1", to: "content_1", type: "GENERATED_FROM", claimed_by: "export.ebook" },
    { from: "artifact_1", to: "plugin_1", type: "GENERATED_BY", claimed_by: "host" },
  ],
  truncated: false,
};

const UNDECIDED = { denied: false, duration: null, until: null, place: null };

export const CONSENT: ConsentJson = {
  id: "consent_1",
  plugin: "import.sample",
  name: "Sample",
  version: "1.0.0",
  description: "Imports samples.",
  origin: "file:///plugins/sample",
  digest: "0123456789abcdef0123456789abcdef",
  permissions: [
    {
      key: "net:arxiv.org:443",
      permission: "net",
      value: "arxiv.org:443",
      text: "Send requests to arxiv.org (port 443)",
      risk: "medium",
      reason: "the paper and its metadata",
      granted: false,
      ...UNDECIDED,
    },
    {
      key: "env:HOME",
      permission: "env",
      value: "HOME",
      text: "Read the environment variable HOME",
      risk: "low",
      reason: null,
      granted: false,
      ...UNDECIDED,
    },
  ],
  takes: [{
    key: "media_types:text/x-sample",
    text: "Read files of the type text/x-sample that you import",
  }],
  warnings: ["It reads your environment and can send to arxiv.org."],
  kind: "install",
  signed_by: null,
  verified: false,
  limits: { memory_mb: 512 },
  limit_requests: [],
  before: null,
  difference: null,
  job: null,
  asked_by: "user_1",
  created: TIME,
};

export const PLUGIN: PluginJson = {
  id: "import.sample",
  kind: "import",
  name: "Sample",
  description: "Imports samples.",
  version: "1.0.0",
  origin: "file:///plugins/sample",
  builtin: false,
  enabled: true,
  trust: "sandboxed",
  digest: "0123456789abcdef",
  match: ["https://sample.org/*"],
  media_types: ["text/x-sample"],
  formats: [],
  permissions: CONSENT.permissions.map((one, i) => ({ ...one, granted: i === 0 })),
  limits: { memory_mb: 512, wall_s: 300, concurrency: 2 },
  limit_requests: [],
  config: { depth: 3 },
  state: "enabled",
  signed_by: null,
  verified: false,
  auto_update: false,
  error: null,
  last_health: null,
};
