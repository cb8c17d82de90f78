/** The real server in a process of its own, with a data folder of its own, and an HTTP client for it. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
/** Real inputs that stand beside the project; tests that read them are skipped where they are not there. */
export const SHARED = fileURLToPath(new URL("../../../shared/data", import.meta.url));

// deno-lint-ignore no-explicit-any -- answers are looked at field by field in the tests
export type Json = any;

export interface TestHost extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly token: string;
  readonly dataDir: string;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  get(path: string): Promise<Json>;
  post(path: string, body: unknown): Promise<Json>;
  importUrl(url: string, options?: object): Promise<Json>;
  upload(name: string, bytes: Uint8Array | string, mediaType?: string): Promise<Json>;
  /** The job, once it has ended. */
  ended(job: { id: string }): Promise<Json>;
  /** kill -9 */
  kill(): Promise<void>;
  /** Stops it as an operator would; true if it went without being killed. */
  stop(): Promise<boolean>;
}

export interface TestHostOptions {
  /** @default a temporary one, removed at the end */
  readonly dataDir?: string;
  readonly allowPrivate?: readonly string[];
  /** Other options of `carrel serve`. */
  readonly flags?: readonly string[];
}

export async function startTestHost(options: TestHostOptions = {}): Promise<TestHost> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir({ prefix: "carrel-test-" });
  const coverage = Deno.env.get("CARREL_TEST_COVERAGE");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      `--config=${CONFIG}`,
      "-P=host",
      ...(coverage ? [`--coverage=${coverage}`] : []),
      MAIN,
      "serve",
      "--port",
      "0",
      "--data",
      dataDir,
      ...(options.allowPrivate ?? []).flatMap((address) => ["--allow-private", address]),
      ...(options.flags ?? []),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  let exited = false;
  const status = child.status.then((s) => {
    exited = true;
    return s;
  });
  const file = await until(async () => {
    if (exited) throw new Error(`the host ended: ${await stderr}`);
    const text = await Deno.readTextFile(`${dataDir}/host.json`).catch(() => undefined);
    const host = text === undefined ? undefined : JSON.parse(text);
    return host?.pid === child.pid ? host as { url: string; token: string } : undefined;
  });

  const call = (path: string, init: RequestInit = {}) =>
    fetch(`${file.url}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${file.token}`, ...init.headers as Record<string, string> },
    });
  const json = async (response: Response) => {
    const body = await response.json();
    assert.ok(response.ok, `${response.status} ${JSON.stringify(body)}`);
    return body;
  };
  const end = async () => {
    await status;
    await stderr;
  };
  const host: TestHost = {
    url: file.url,
    pid: child.pid,
    token: file.token,
    dataDir,
    fetch: call,
    get: async (path) => await json(await call(path)),
    post: async (path, body) =>
      await json(
        await call(path, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      ),
    importUrl: async (url, more = {}) =>
      (await host.post("/api/content/import", { url, ...more })).job,
    upload: async (name, bytes, mediaType) => {
      const form = new FormData();
      form.append(
        "file",
        new File([bytes as BlobPart], name, mediaType ? { type: mediaType } : {}),
      );
      return (await json(await call("/api/content/import", { method: "POST", body: form }))).job;
    },
    ended: async (job) => {
      // The stream of events ends when the job has.
      await (await call(`/api/jobs/${job.id}/events`)).text();
      return await host.get(`/api/jobs/${job.id}`);
    },
    kill: async () => {
      if (!exited) child.kill("SIGKILL");
      await end();
    },
    stop: async () => {
      if (!exited) child.kill("SIGTERM");
      await end();
      return (await status).signal === null;
    },
    [Symbol.asyncDispose]: async () => {
      await host.stop();
      if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
    },
  };
  return host;
}

/** Polls until there is an answer; the deadline is for a test that hangs, not for speed. */
export async function until<T>(
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  deadlineMs = 60_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not so within ${deadlineMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export interface Site extends AsyncDisposable {
  /** `127.0.0.1:port`, as `--allow-private` wants it. */
  readonly host: string;
  readonly url: string;
  /** Requests so far, by path. */
  readonly hits: Map<string, number>;
}

/** A web site on loopback. */
export function startSite(
  handler: (request: Request, path: string) => Response | Promise<Response>,
): Site {
  const hits = new Map<string, number>();
  const abort = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: abort.signal, onListen() {} },
    (request) => {
      const path = new URL(request.url).pathname;
      hits.set(path, (hits.get(path) ?? 0) + 1);
      return handler(request, path);
    },
  );
  const host = `127.0.0.1:${server.addr.port}`;
  return {
    host,
    url: `http://${host}`,
    hits,
    [Symbol.asyncDispose]: async () => {
      abort.abort();
      await server.finished;
    },
  };
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    Deno.statSync(`/proc/${pid}`);
    return !/State:\s+Z/.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

/** The processes that a process has started, at any depth. */
export function descendants(pid: number): number[] {
  const children: number[] = [];
  try {
    for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
      const text = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/children`);
      children.push(...text.split(" ").filter(Boolean).map(Number));
    }
  } catch {
    // It is gone.
  }
  return children.flatMap((child) => [child, ...descendants(child)]);
}
