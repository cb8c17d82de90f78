/** A small server that speaks the API, with made-up contents and jobs whose story is told beforehand. */
import type {
  ConsentJson,
  ContentJson,
  JobEventJson,
  JobJson,
  PluginJson,
  VerificationJson,
} from "../wire.ts";
import { ARTIFACT, CONSENT, contentJson, GENEALOGY, jobJson, PLUGIN, TIME } from "./samples.ts";

export const TOKEN = "carrel_test";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly body: unknown;
}

export interface FakeHost extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly seen: Seen[];
  /** The last request to a path, of a method. */
  last(method: string, path: string | RegExp): Seen | undefined;
  /** Answers before the routes below do; `undefined` leaves it to them. */
  intercept: (seen: Seen, request: Request) => Response | Promise<Response | undefined> | undefined;
  readonly jobs: Map<string, { job: JobJson; events: JobEventJson[] }>;
  /** How the next jobs go, in order; default: they are completed. */
  readonly stories: Story[];
  readonly contents: ContentJson[];
  readonly plugins: PluginJson[];
  consent: ConsentJson;
  /** What waits for consent. */
  waiting: ConsentJson[];
  /** What a change of settings asks. */
  configConsent: ConsentJson | null;
  /** The plugin once its settings are set. @default the sample */
  configured: PluginJson | undefined;
  /** Whether what is enabled stays off. */
  safeMode: boolean;
  verification: VerificationJson;
}

export interface Story {
  readonly end?: "completed" | "failed" | "cancelled" | "never";
  readonly error?: { readonly code: string; readonly message: string; readonly log?: string[] };
  /** More of the job, for example its result or its input. */
  readonly job?: Partial<JobJson>;
}

export function problem(status: number, code: string, detail: string): Response {
  return Response.json({ type: `carrel:${code}`, title: code, status, code, detail }, {
    status,
    headers: { "content-type": "application/problem+json" },
  });
}

function storyOf(id: string, story: Story): { job: JobJson; events: JobEventJson[] } {
  const end = story.end ?? "completed";
  const event = (seq: number, more: Partial<JobEventJson>): JobEventJson => ({
    job_id: id,
    seq,
    status: "running",
    stage: "extracting",
    progress: 0,
    message: null,
    plugin: "import.text",
    timestamp: TIME,
    ...more,
  });
  const events = [
    event(1, { status: "queued", stage: null }),
    event(2, { progress: 40, message: "reading" }),
  ];
  if (end === "never") {
    return { job: jobJson(id, { status: "running", stage: "extracting", progress: 40 }), events };
  }
  events.push(event(3, { status: end, stage: null, progress: end === "completed" ? 100 : 40 }));
  const result = end !== "completed"
    ? null
    : id.startsWith("export")
    ? { artifact: "artifact_1" }
    : { content: id.replace("import", "content") };
  const error = story.error === undefined ? null : { ...story.error, retryable: false };
  const job = jobJson(id, {
    status: end,
    result,
    error,
    progress: 100,
    completed: TIME,
    ...story.job,
  });
  return { job, events };
}

async function bodyOf(request: Request): Promise<unknown> {
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("multipart/form-data")) {
    const form = await request.formData();
    const fields: Record<string, unknown> = {};
    for (const [name, value] of form) {
      fields[name] = typeof value === "string"
        ? value
        : { name: value.name, type: value.type, text: await value.text() };
    }
    return fields;
  }
  const text = await request.text();
  return text === "" ? undefined : JSON.parse(text);
}

/** Starts it on a free port. */
export function fakeHost(): FakeHost {
  let made = 0;
  const closing = new AbortController();
  const encoder = new TextEncoder();

  const accept = (kind: string) => {
    const told = storyOf(`${kind}_${++made}`, host.stories.shift() ?? {});
    host.jobs.set(told.job.id, told);
    return Response.json({ job: told.job, jobs: [told.job] }, { status: 202 });
  };

  const stream = (id: string, after: number) => {
    const told = host.jobs.get(id);
    if (!told) return problem(404, "not_found", `There is no job "${id}".`);
    const events = told.events.filter((event) => event.seq > after);
    let stop = () => {};
    return new Response(
      new ReadableStream({
        start(out) {
          out.enqueue(encoder.encode(": events\n\n"));
          for (const event of events) {
            out.enqueue(encoder.encode(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`));
          }
          const close = () => {
            closing.signal.removeEventListener("abort", close);
            out.close();
          };
          if (told.job.completed !== null) return close();
          // It stays open until the job is cancelled or the server ends.
          closing.signal.addEventListener("abort", close);
          cancels.set(id, (event) => {
            out.enqueue(encoder.encode(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`));
            close();
          });
          stop = () => {
            cancels.delete(id);
            closing.signal.removeEventListener("abort", close);
          };
        },
        cancel: () => stop(),
      }),
      { headers: { "content-type": "text/event-stream" } },
    );
  };
  const cancels = new Map<string, (event: JobEventJson) => void>();

  const cancel = (id: string) => {
    const told = host.jobs.get(id);
    if (!told) return problem(404, "not_found", `There is no job "${id}".`);
    const event = {
      ...told.events.at(-1)!,
      seq: told.events.length + 1,
      status: "cancelled" as const,
    };
    told.job = { ...told.job, status: "cancelled", completed: TIME };
    told.events.push(event);
    cancels.get(id)?.(event);
    cancels.delete(id);
    return Response.json(told.job, { status: 202 });
  };

  const page = (items: unknown[]) => Response.json({ items, cursor: null });
  const empty = () => new Response(null, { status: 204 });

  function route(seen: Seen): Response {
    const [, , family, id, word] = seen.path.split("/").map(decodeURIComponent);
    const key = `${seen.method} ${family ?? ""}${id === undefined ? "" : "/:id"}${
      word ? `/${word}` : ""
    }`;
    switch (key) {
      case "POST content/:id":
        return accept(id!);
      case "GET content":
        return page(host.contents);
      case "GET content/:id":
        return Response.json(host.contents.find((one) => one.id === id) ?? contentJson(id!));
      case "GET content/:id/files":
      case "GET artifacts/:id/files":
        return new Response("bytes");
      case "DELETE content/:id":
      case "DELETE artifacts/:id":
      case "DELETE tokens/:id":
      case "DELETE plugins/:id":
        return empty();
      case "GET artifacts":
        return page([ARTIFACT]);
      case "GET artifacts/:id":
        return Response.json(ARTIFACT);
      case "GET jobs":
        return page([...host.jobs.values()].map((told) => told.job));
      case "GET jobs/:id": {
        const told = host.jobs.get(id!);
        const children = { total: 0, completed: 0, failed: 0, cancelled: 0 };
        return told
          ? Response.json({ children, ...told.job })
          : problem(404, "not_found", `There is no job "${id}".`);
      }
      case "GET jobs/:id/log": {
        const { job } = host.jobs.get(id!)!;
        const after = Number(seen.query.after ?? 0);
        const items = (job.error?.log ?? []).map((message, index) => ({
          seq: index + 1,
          time: TIME,
          level: "info",
          message,
        })).filter(({ seq }) => seq > after);
        return Response.json({ items, dropped: 0, more: false, ended: job.completed !== null });
      }
      case "POST jobs/:id":
        return id === "prune"
          ? Response.json({
            jobs: 7,
            runs: 1,
            dry_run: (seen.body as { dry_run?: boolean }).dry_run ?? false,
          })
          : Response.json({
            retried: 3,
            refused: 1,
            refusals: [{ job: "import_9", code: "conflict", detail: "it has been tried 10 times" }],
            more: true,
            retry_after_s: null,
          });
      case "GET jobs/:id/events":
        return stream(id!, Number(seen.headers.get("last-event-id") ?? 0));
      case "DELETE jobs/:id":
        return cancel(id!);
      case "POST jobs/:id/retry": {
        const told = storyOf(id!, host.stories.shift() ?? {});
        host.jobs.set(id!, told);
        return Response.json(told.job, { status: 202 });
      }
      case "GET search":
        return Response.json({
          query: seen.query.q,
          hits: seen.query.q === "nothing" ? [] : [{
            chunk: "chunk_1",
            content: {
              id: "content_1",
              title: "A page",
              type: "webpage",
              url: "https://example.org/",
            },
            revision: "revision_1",
            start: 0,
            end: 20,
            page: 3,
            heading: "Desks",
            text: "a desk for a reader.",
            highlights: [[2, 6]],
            score: 1,
          }],
        });
      case "GET plugins":
        return page(host.plugins);
      case "GET plugins/:id":
        if (id === "consents") return Response.json({ items: host.waiting });
        if (id === "available") {
          return Response.json({
            items: [{
              id: "import.more",
              kind: "import",
              name: "More",
              description: "Imports more.",
              author: null,
              repository: null,
              verified: false,
              compatible: true,
              latest: "1.2.0",
              installed: null,
              versions: [],
            }],
            registry: "https://registry.example/list.yaml",
            fetched: TIME,
            stale: true,
            problem: "the network is away",
          });
        }
        return Response.json(host.plugins.find((one) => one.id === id) ?? PLUGIN);
      case "GET plugins/:id/health":
        return Response.json(
          id === "import.ill"
            ? { status: "unhealthy", message: "no answer" }
            : { status: "healthy", message: null },
        );
      case "POST plugins/:id":
        return Response.json(
          { job: null, consent: host.consent, plugin: null, unchanged: false },
          { status: 202 },
        );
      case "GET plugins/:id/versions":
        return Response.json({
          items: [{
            version: "1.0.0",
            digest: "00",
            state: "enabled",
            live: true,
            origin: PLUGIN.origin,
            reference: "https://plugins.example/sample/carrel.yaml",
            resolved: "https://plugins.example/sample/carrel.yaml",
            signed_by: null,
            verified: false,
            error: null,
            created: TIME,
            last_live: TIME,
          }],
        });
      case "POST plugins/:id/rollback":
        return Response.json({ ...PLUGIN, version: "0.9.0" });
      case "GET plugins/:id/config-schema":
        return Response.json({
          properties: { depth: { type: "integer" }, base: { description: "where it is" } },
        });
      case "PUT plugins/:id/config":
        return Response.json({
          plugin: host.configured ?? PLUGIN,
          consent: host.configConsent,
        });
      case "POST plugins/:id/revoke":
        return Response.json(PLUGIN);
      case "POST plugins/:id/tighten":
        return Response.json({ plugin: PLUGIN, dropped: ["net:arxiv.org:443"] });
      case "POST plugins/:id/consent":
        return Response.json({ consent: null }, { status: 202 });
      case "GET plugins/:id/audit":
      case "GET audit":
        return Response.json({
          items: [{
            host: "local",
            seq: 1,
            time: TIME,
            event: "plugin.installed",
            plugin: PLUGIN.id,
            digest: null,
            actor: "user_1",
            job: null,
            details: { version: "1.0.0" },
          }],
          cursor: null,
          observed: [{ key: "env:HOME", granted: true, count: 0, first: null, last: null }],
        });
      case "GET audit/:id":
        return Response.json(host.verification);
      case `POST plugins/:id/${host.consent.id}`:
        return Response.json({ plugin: PLUGIN });
      case "POST plugins/:id/enable":
      case "POST plugins/:id/disable":
        return Response.json({ ...PLUGIN, enabled: word === "enable" && !host.safeMode });
      case "GET tokens":
        return page([{
          id: "token_1",
          name: "laptop",
          user: "user_1",
          role: "reader",
          created: TIME,
          last_used: null,
          expires: null,
        }]);
      case "POST tokens":
        return Response.json({ id: "token_2", ...seen.body as object, token: "carrel_new" }, {
          status: 201,
        });
      default:
        if (/\/genealogy$/.test(seen.path)) return Response.json(GENEALOGY);
        if (/\/attribution$/.test(seen.path)) {
          return Response.json({ artifact: id, text: "A page, by Ada.\nAnother.\n", parts: [] });
        }
        return problem(404, "not_found", `There is no "${seen.path}".`);
    }
  }

  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const url = new URL(request.url);
      const seen: Seen = {
        method: request.method,
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: await bodyOf(request),
      };
      host.seen.push(seen);
      const early = await host.intercept(seen, request);
      if (early) return early;
      if (seen.path === "/healthz") return Response.json({ status: "ok", version: "0.0.0" });
      if (seen.path === "/readyz") {
        return Response.json({ status: "ready", stores: { sql: true, objects: true } });
      }
      if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) {
        return problem(401, "unauthorized", "Cannot let you in: the token is not known.");
      }
      return route(seen);
    },
  );

  const host: FakeHost = {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    seen: [],
    last: (method, path) =>
      host.seen.findLast((one) =>
        one.method === method &&
        (typeof path === "string" ? one.path === path : path.test(one.path))
      ),
    intercept: () => undefined,
    jobs: new Map(),
    stories: [],
    contents: [],
    plugins: [PLUGIN],
    consent: CONSENT,
    waiting: [],
    configConsent: null,
    configured: undefined,
    safeMode: false,
    verification: { ok: true, rows: 7, problems: [], problem_count: 0, unvouched: 0 },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await server.shutdown();
    },
  };
  return host;
}
