/** For tests: real runners, and real servers on this machine. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createPool } from "../../../../sandbox/pool.ts";
import { NODE_MODULES_DIR, SANDBOX_DIR, SDK_DIR } from "../../../assets.ts";
import type { CarrelError, ErrorCode } from "../../../errors.ts";
import { createNetwork, type NetworkOptions } from "../../../network/private.ts";
import { createBundler } from "../../bundle.ts";
import { gzip, tar } from "./archives.ts";
import { createFetcher, type FetchedPlugin, fetchPlugin, type SourceLimits } from "../source.ts";

export interface Kit extends AsyncDisposable {
  readonly dir: string;
  readonly tempDir: string;
  /** Fetches with the given servers opened. */
  fetch(reference: string, options?: KitOptions): Promise<FetchedPlugin>;
  /** A server on 127.0.0.1 until the kit is disposed. */
  serve(handler: Handler): Server;
  /** Runners that were started so far. */
  started(): number;
  /** What the tests of other modules are made with. */
  readonly fetcher: ReturnType<typeof createFetcher>;
}

export interface KitOptions {
  readonly limits?: Partial<SourceLimits>;
  readonly npmRegistry?: string;
  readonly signal?: AbortSignal;
  /** @default all servers of the kit */
  readonly network?: NetworkOptions;
}

export type Handler = (request: Request, url: URL) => Response | Promise<Response>;

export interface Server {
  readonly url: string;
  readonly host: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
}

export async function createKit(): Promise<Kit> {
  const stack = new AsyncDisposableStack();
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "carrel-source-" }));
  stack.defer(() => Deno.remove(dir, { recursive: true }));
  const tempDir = join(dir, "temp");
  await Deno.mkdir(tempDir);
  const servers: Server[] = [];
  const pool = stack.use(createPool({ assets: SANDBOX_DIR, denoDirs: join(dir, "runners") }));
  const bundler = createBundler({
    cacheDir: join(dir, "bundles"),
    sdkDir: SDK_DIR,
    nodeModulesDir: NODE_MODULES_DIR,
  });
  const fetcher = createFetcher({ pool, bundler });
  return {
    dir,
    tempDir,
    fetcher,
    started: () => pool.stats().started,
    async fetch(reference, { network, ...options } = {}) {
      const allowPrivate = servers.map(({ host }) => host);
      return await fetchPlugin(reference, {
        fetcher,
        tempDir,
        network: await createNetwork(network ?? { allowPrivate }),
        ...options,
      });
    },
    serve(handler) {
      const asked: string[] = [];
      const stopping = new AbortController();
      const served = Deno.serve({
        hostname: "127.0.0.1",
        port: 0,
        signal: stopping.signal,
        onListen: () => {},
        onError: () => new Response("failed", { status: 500 }),
      }, (request) => {
        const url = new URL(request.url);
        asked.push(url.pathname + url.search);
        return handler(request, url);
      });
      stack.defer(async () => {
        stopping.abort();
        await served.finished;
      });
      const host = `127.0.0.1:${served.addr.port}`;
      const server = { url: `http://${host}`, host, asked };
      servers.push(server);
      return server;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Serves files by path; all else is not found. */
export function filesHandler(files: Readonly<Record<string, string | Uint8Array>>): Handler {
  return (_, { pathname }) => {
    const body = files[decodeURIComponent(pathname)];
    return body === undefined
      ? new Response("not found", { status: 404 })
      : new Response(body as BodyInit);
  };
}

/** A small manifest. */
export const yaml = (id: string, version = "1.0.0", more = "") =>
  `id: ${id}\nversion: ${version}\nname: ${id}\ndescription: A plugin.\nentry: mod.ts\n${more}`;

export const failsWith = (code: ErrorCode, words: RegExp) => (error: CarrelError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return true;
};

/** A plugin of four files. */
export const PLUGIN: Readonly<Record<string, string>> = {
  "carrel.yaml": yaml("import.sample"),
  "mod.ts":
    `import { definePlugin } from "@carrel/sdk";\nimport { words } from "./lib/words.ts";\nexport default definePlugin.import({ extract: () => words() });\n`,
  "lib/words.ts":
    `import type { Gone } from "./gone.ts";\nimport list from "./list.json" with { type: "json" };\nexport const words = (): Gone => list;\n`,
  "lib/list.json": `["a"]\n`,
};

/** The same, at their paths on a server. */
export const under = (folder: string, files: Readonly<Record<string, string>> = PLUGIN) =>
  Object.fromEntries(Object.entries(files).map(([path, text]) => [folder + path, text]));

export async function writeFiles(
  dir: string,
  files: Readonly<Record<string, string>> = PLUGIN,
): Promise<string> {
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(join(dir, path, ".."), { recursive: true });
    await Deno.writeTextFile(join(dir, path), text);
  }
  return dir;
}

/** The sample plugin as npm packs it. */
export const packageTgz = async (files = PLUGIN, folder = "package/") =>
  await gzip(tar(Object.entries(files).map(([path, text]) => ({ path: folder + path, text }))));
