/** How quick the API answers while a hundred jobs are under way: real imports in a host, and no-op jobs at once. */
import { startHost } from "../core/app.ts";
import { createHttpApp } from "../core/http/app.ts";
import { testApp } from "../core/http/testing/memory_host.ts";
import { createJobs } from "../core/jobs/dispatcher.ts";
import { openQueueKv } from "../core/jobs/queue_kv.ts";
import { createBlobKeeper } from "../core/stores/blobs.ts";
import { openObjectsFs } from "../core/stores/objects_fs.ts";
import { openSqlite } from "../core/stores/sqlite.ts";
import { type Figure, quantile } from "./figure.ts";

const JOBS = 100;
const CLIENTS = 4;
const NOOP_MS = 5_000;
const TARGET_MS = 200;

export async function figures(): Promise<Figure[]> {
  const idle: number[] = [];
  const imports: number[] = [];
  const noops: number[] = [];
  await whileImporting(idle, imports);
  await whileIdling(noops);
  const figure = (what: string, samples: readonly number[]): Figure => ({
    name: `api: p95 while ${JOBS} ${what}`,
    value: quantile(samples, 0.95),
    unit: "ms",
    target: TARGET_MS,
    compare: "<=",
    floor: { name: "nothing to do", value: quantile(idle, 0.95) },
  });
  return [figure("imports are under way", imports), figure("no-op jobs run", noops)];
}

interface Target {
  readonly url: string;
  readonly token: string;
}

async function call({ url, token }: Target, path: string, init: RequestInit = {}) {
  const response = await fetch(url + path, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

/** Asks what apps ask, several at a time, until the signal; the times of all answers, milliseconds. */
async function ask(target: Target, paths: readonly string[], until: AbortSignal, times: number[]) {
  await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => {
    for (let turn = client; !until.aborted; turn++) {
      const start = performance.now();
      await call(target, paths[turn % paths.length]!);
      times.push(performance.now() - start);
    }
  }));
}

/** A page of some length, so that its import has something to extract, cut up and index. */
function page(number: number): string {
  const paragraph = (index: number) =>
    `<p>Paragraph ${index} of page ${number} tells of carrels, desks and readers at some length, ${
      "and goes on about shelves and lamps ".repeat(12)
    }.</p>`;
  const text = Array.from({ length: 40 }, (_, index) => paragraph(index)).join("\n");
  return `<html><head><title>Page ${number}</title></head><body><article><h1>Page ${number}</h1>${text}</article></body></html>`;
}

async function whileImporting(idle: number[], busy: number[]): Promise<void> {
  const site = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) =>
      new Response(page(Number(new URL(request.url).pathname.slice(1))), {
        headers: { "content-type": "text/html; charset=utf-8" },
      }),
  );
  const origin = `127.0.0.1:${site.addr.port}`;
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    await using host = await startHost({ dataDir, port: 0, allowPrivate: [origin] });
    const importAll = async (from: number, count: number) => {
      const urls = Array.from({ length: count }, (_, index) => `http://${origin}/${from + index}`);
      const answer = await call(host, "/api/content/import", {
        method: "POST",
        body: JSON.stringify({ urls }),
        headers: { "content-type": "application/json" },
      });
      return (JSON.parse(answer).jobs as { id: string }[]).map(({ id }) => id);
    };
    const ended = (ids: readonly string[]) =>
      Promise.all(ids.map((id) => call(host, `/api/jobs/${id}/events`)));
    // The first one bundles the plugin: an installation does that once.
    const [first] = await importAll(0, 1);
    await ended([first!]);
    const paths = ["/api/jobs", `/api/jobs/${first}`, "/api/content", "/api/search?q=lamps"];
    await ask(host, paths, AbortSignal.timeout(2_000), idle);
    const ids = await importAll(1, JOBS);
    const done = new AbortController();
    const asking = ask(host, paths, done.signal, busy);
    await ended(ids);
    done.abort();
    await asking;
    const { items } = JSON.parse(await call(host, "/api/jobs?status=completed&limit=200"));
    if (items.length !== JOBS + 1) {
      throw new Error(`${items.length} of ${JOBS + 1} imports completed`);
    }
  } finally {
    await site.shutdown();
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** A hundred slots that are always full of jobs that do nothing but wait a little. */
async function whileIdling(times: number[]): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    await using base = await testApp();
    const migrationsDir = new URL("../migrations/sql", import.meta.url).pathname;
    await using sql = await openSqlite(`${dir}/carrel.db`, { migrationsDir });
    await using queue = await openQueueKv(`${dir}/queue.kv`);
    const stop = AbortSignal.timeout(NOOP_MS);
    await using engine = createJobs({
      sql,
      blobs: createBlobKeeper(sql, await openObjectsFs(`${dir}/objects`)),
      queue,
      concurrency: JOBS,
      handlers: {
        noop: { run: () => new Promise<void>((resolve) => setTimeout(resolve, 20)) },
      },
    });
    const app = createHttpApp({ ...base.host, jobs: engine.jobs });
    await engine.start();
    const add = () => engine.jobs.add({ kind: "noop", input: null, user: "bench" });
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, app.fetch);
    const target = { url: `http://127.0.0.1:${server.addr.port}`, token: base.tokens.reader };
    const load = Array.from({ length: JOBS }, async () => {
      while (!stop.aborted) await engine.jobs.finished((await add()).id);
    });
    const { id } = await add();
    await ask(target, ["/api/jobs", `/api/jobs/${id}`], stop, times);
    await Promise.all(load);
    await server.shutdown();
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
