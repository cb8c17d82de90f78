/** A whole host in memory, for tests of the HTTP layer. Access is the real one, on a real SQLite. */
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";
import { createSqlAuth } from "../../auth/sql_auth.ts";
import { CarrelError } from "../../errors.ts";
import type { Role } from "../../auth/actor.ts";
import type { Provenance } from "../../provenance/provenance.ts";
import type { Search } from "../../search/search.ts";
import { openSqlite } from "../../stores/sqlite.ts";
import type { AuditRow } from "../../audit/audit.ts";
import { parseRegistry } from "../../plugins/available.ts";
import { createHttpApp, type HttpOptions } from "../app.ts";
import type { HttpEnv } from "../env.ts";
import type { HttpHost } from "../host.ts";
import { createMemoryJobs, type MemoryJobs } from "./memory_jobs.ts";
import { createMemoryLibrary, type MemoryLibrary } from "./memory_library.ts";
import { createMemoryPlugins, memoryPlugin } from "./memory_plugins.ts";

const migrationsDir = fileURLToPath(new URL("../../../migrations/sql", import.meta.url));

export interface TestApp extends AsyncDisposable {
  readonly app: Hono<HttpEnv>;
  readonly host: HttpHost;
  readonly jobs: MemoryJobs;
  readonly library: MemoryLibrary;
  readonly tokens: Readonly<Record<Role, string>>;
  /** Whether each store answers. */
  readonly stores: Record<string, boolean>;
  /** What was reported as unexpected. */
  readonly failures: unknown[];
  /** A request as this role; JSON if there is a body that is an object. */
  request(role: Role | undefined, method: string, path: string, init?: TestInit): Promise<Response>;
}

export interface TestInit {
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
  readonly body?: BodyInit;
}

export async function testApp(options: HttpOptions = {}): Promise<TestApp> {
  const store = await openSqlite(":memory:", { migrationsDir });
  const auth = createSqlAuth(store, options.now === undefined ? {} : { now: options.now });
  const admin = await auth.bootstrap();
  const jobs = createMemoryJobs();
  const library = createMemoryLibrary(jobs);
  const stores: Record<string, boolean> = { sql: true, objects: true };
  const failures: unknown[] = [];
  const host: HttpHost = {
    version: "0.1.0",
    auth,
    jobs,
    library,
    search: memorySearch,
    provenance: memoryProvenance,
    plugins: createMemoryPlugins([
      memoryPlugin("import.text"),
      memoryPlugin("import.broken"),
      memoryPlugin("import.off", false),
      memoryPlugin("export.ebook"),
    ]),
    async pluginHealth(id) {
      if (id === "import.broken") throw new CarrelError("timed_out", "Cannot check: too slow.");
      return { status: "healthy" };
    },
    available: {
      list: async ({ refresh = false } = {}) => ({
        plugins: parseRegistry(
          `plugins:
  - {id: import.text, name: Text, description: Texts., versions: [{version: 2.0.0, reference: "npm:text@2.0.0"}]}
  - {id: export.book, name: Book, description: Books., versions: [{version: 1.0.0, reference: "npm:book", carrel: ">=9"}]}
`,
          { registry: "https://registry.example/list.yaml", hostVersion: "0.1.0" },
        ),
        registry: "https://registry.example/list.yaml",
        fetched: refresh ? "2030-01-02" : "2030-01-01",
        stale: false,
      }),
    },
    audit: memoryAudit,
    workflows: noWorkflows,
    ready: async () => stores,
    prompts: {
      list: () => [],
      get(id) {
        throw new CarrelError(
          "not_found",
          `Cannot find the prompt "${id}": none of that id waits.`,
        );
      },
      decide: () => Promise.resolve(),
    },
    poolStats: () => ({ busy: 0, idle: 0, started: 0, ends: {} as never }),
  };
  const app = createHttpApp(host, {
    onFailure: (failure) => failures.push(failure.error),
    ...options,
  });
  const tokens = {
    reader: (await auth.createToken({ name: "reader", role: "reader" })).token,
    editor: (await auth.createToken({ name: "editor", role: "editor" })).token,
    admin: admin!,
  };
  return {
    app,
    host,
    jobs,
    library,
    tokens,
    stores,
    failures,
    async request(role, method, path, init = {}) {
      const headers = new Headers(init.headers);
      if (role !== undefined) headers.set("authorization", `Bearer ${tokens[role]}`);
      if (init.json !== undefined) headers.set("content-type", "application/json");
      const body = init.json !== undefined ? JSON.stringify(init.json) : init.body ?? null;
      return await app.request(path, { method, headers, body });
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

const nothing = (name: unknown) =>
  Promise.reject(new CarrelError("not_found", `Cannot find "${name}".`));

/** There are none; tests of runs have the real ones. */
const noWorkflows: HttpHost["workflows"] = {
  list: () => Promise.resolve([]),
  runs: () => Promise.resolve({ items: [], cursor: undefined }),
  get: nothing,
  parse: nothing,
  start: nothing,
  plan: nothing,
  run: nothing,
  step: nothing,
  interact: nothing,
  cancel: nothing,
  retry: nothing,
  fork: nothing,
};

/** One plugin was installed, and then used what it was granted. */
const memoryAudit: HttpHost["audit"] = {
  async list({ plugin, event } = {}) {
    const row = (seq: number, name: string, details: Record<string, unknown>): AuditRow => ({
      host: "local",
      seq,
      time: `2030-01-0${seq}`,
      event: name,
      plugin: "import.text",
      digest: undefined,
      actor: "user_1",
      job: undefined,
      details,
    });
    const rows = [
      row(2, "permission.used", {
        permission: "net",
        value: "example.org:443",
        count: 3,
        entries: ["${source.site}"],
      }),
      row(1, "plugin.installed", { version: "1.0.0" }),
    ];
    const items = rows.filter((one) =>
      (plugin === undefined || plugin === one.plugin) &&
      (event === undefined || event === one.event)
    );
    return { items, cursor: undefined };
  },
  verify: async () => ({ ok: true, rows: 2, problems: [], problemCount: 0, unvouched: 0 }),
};

const text = "The quick brown fox";

const memorySearch: Search = {
  async search({ q, k = 10 }) {
    const at = text.toLowerCase().indexOf(q.toLowerCase());
    if (at < 0) return [];
    return [{
      chunk: "chunk_1",
      content: { id: "content_1", title: "Foxes", type: "webpage", url: "https://example.org/" },
      revision: "revision_1",
      start: 0,
      end: text.length,
      page: undefined,
      heading: undefined,
      text,
      highlights: [[at, at + q.length] as const],
      score: 1,
    }].slice(0, k);
  },
};

const memoryProvenance: Provenance = {
  async genealogy(id, { depth = 10 }) {
    if (id !== "artifact_1") throw new CarrelError("not_found", `Cannot find "${id}".`);
    return {
      root: id,
      nodes: [
        { id, type: "Artifact", label: "A book", properties: { depth } },
        { id: "content_1", type: "Content", label: "Foxes", properties: {} },
      ],
      edges: [{ from: id, to: "content_1", type: "GENERATED_FROM", claimedBy: "host" }],
      truncated: false,
    };
  },
  async attribution(artifact) {
    return {
      artifact,
      text: "Foxes, https://example.org/",
      parts: [{
        id: "chapter-1",
        kind: "chapter",
        title: undefined,
        location: undefined,
        claimedBy: "export.ebook",
        sources: [{
          content: "content_1",
          title: "Foxes",
          url: undefined,
          revision: undefined,
          passages: [{ chunk: "chunk_1", start: 0, end: 19, page: undefined }],
        }],
      }],
      truncated: false,
    };
  },
  generatedFrom: async () => [{ artifact: "artifact_1", title: "A book", created: "2030-01-01" }],
};
