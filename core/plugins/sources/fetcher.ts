/**
 * The host's side of the guests that fetch and unpack: one runner for each server that is asked, granted
 * that host and port and nothing else. Every redirect to another server comes back here and is judged
 * before a runner is started for it.
 */
import { join } from "node:path";
import { z } from "zod";
import {
  DEFAULT_LIMITS,
  type Desk,
  type Grants,
  type Pool,
  type RunnerSpec,
} from "../../../sandbox/types.ts";
import { PROGRAM_DIR } from "../../assets.ts";
import { CarrelError, isErrorCode } from "../../errors.ts";
import type { CheckedSource, Network } from "../../network/private.ts";
import type { Bundler } from "../bundle.ts";
import type { Entry } from "./fetcher/entries.ts";
import type { Commit } from "./fetcher/git.ts";
import { sizeText, type SourceLimits } from "./fetcher/limits.ts";
import type { NpmVersion } from "./fetcher/npm.ts";
import type { Got, GotFile } from "./fetcher/web.ts";
import { checkPlace, grantsFor } from "./reach.ts";

/** The modules that guests are bundled from. */
const GUESTS_DIR = join(PROGRAM_DIR, "core", "plugins", "sources", "fetcher");
type Guest = "web" | "git" | "archive";

const bytes = z.instanceof(Uint8Array<ArrayBufferLike>);
const gotSchema: z.ZodType<Got> = z.object({ bytes, mediaType: z.string(), url: z.string() });
const filesSchema: z.ZodType<readonly GotFile[]> = z.array(
  z.object({ path: z.string(), url: z.string(), bytes }),
);
const entriesSchema: z.ZodType<readonly Entry[]> = z.array(z.object({ path: z.string(), bytes }));
const npmSchema: z.ZodType<NpmVersion> = z.object({
  version: z.string(),
  tarball: z.string(),
  sha512: z.string(),
});
const commitSchema: z.ZodType<Commit> = z.object({
  commit: z.string().regex(/^[0-9a-f]{40}$/),
  files: z.array(z.object({ path: z.string(), bytes })),
});

export interface FetcherOptions {
  readonly pool: Pool;
  readonly bundler: Bundler;
}

export interface Fetcher {
  /** What belongs to one fetch: its runners end and its time is over when it is disposed. */
  open(options: {
    readonly network: Network;
    readonly limits: SourceLimits;
    readonly signal?: AbortSignal | undefined;
  }): FetchSession;
}

/** All throw `CarrelError` with a code of the guest, `private_address`, `too_large`, `timed_out`, `cancelled`. */
export interface FetchSession extends AsyncDisposable {
  readonly limits: SourceLimits;
  /** Brings what is behind a URL. */
  get(url: string, options?: { accept?: string; maxBytes?: number }): Promise<Got>;
  /**
   * Where a server sends whoever asks for a URL on to, if that is another server; undefined when it answers by
   * itself. The answer is not read. Takes http as well: nothing is installed by it.
   */
  redirect(url: string): Promise<string | undefined>;
  /** Brings files below the folder of `base`, all from its server, and if asked all that they import. */
  files(base: string, paths: readonly string[], follow: boolean): Promise<readonly GotFile[]>;
  /** Asks a registry for a version. */
  npm(url: string, name: string, wanted: string): Promise<NpmVersion>;
  /** Brings the files of one commit; also says where the repository was in the end. */
  git(url: string, ref: string | undefined): Promise<Commit & { readonly url: string }>;
  unpack(
    bytes: Uint8Array,
    what: string,
    format: "tar" | "zip",
    manifest: string,
  ): Promise<readonly Entry[]>;
}

export function createFetcher({ pool, bundler }: FetcherOptions): Fetcher {
  async function acquire(
    guest: Guest,
    grants: Grants,
    limits: SourceLimits,
    signal: AbortSignal,
  ): Promise<Desk> {
    const bundle = await bundler.bundle(GUESTS_DIR, { entry: `${guest}.ts`, packages: true });
    const seconds = Math.max(1, limits.timeMs / 1000);
    const most = limits.downloadBytes + limits.totalBytes;
    const spec: RunnerSpec = {
      plugin: `carrel.fetch_${guest}`,
      version: "1.0.0",
      digest: bundle.digest,
      bundle: bundle.path,
      grants,
      config: {},
      trust: "sandboxed",
      limits: {
        ...DEFAULT_LIMITS,
        // What is packed, what is unpacked, and both once more on the way to the host.
        memory_mb: 256 + Math.ceil(2 * most / 1024 / 1024),
        cpu_s: seconds,
        wall_s: seconds,
        output_mb: Math.ceil(Math.max(limits.totalBytes, limits.downloadBytes) / 1024 / 1024) + 1,
        disk_mb: 16,
        concurrency: 8,
      },
    };
    return await pool.acquire(spec, { signal });
  }

  return {
    open({ network, limits, signal: given }) {
      const over = new AbortController();
      const timer = setTimeout(() => over.abort(), limits.timeMs);
      const signal = given === undefined ? over.signal : AbortSignal.any([given, over.signal]);
      let held: { readonly key: string; readonly desk: Desk } | undefined;
      let downloaded = 0;

      async function letGo(): Promise<void> {
        const desk = held?.desk;
        held = undefined;
        await desk?.release();
      }

      /** One runner at a time: a fetch never waits for a slot while it holds one. */
      async function hold(guest: Guest, place: CheckedSource | undefined): Promise<Desk> {
        const key = `${guest} ${place?.host}:${place?.port}`;
        if (held?.key === key) return held.desk;
        await letGo();
        const desk = await acquire(guest, grantsFor(place), limits, signal);
        held = { key, desk };
        return desk;
      }

      /** Calls a guest at a URL, and again wherever that leads. */
      async function call<T>(
        guest: Guest,
        method: string,
        given: string,
        request: (url: string) => Record<string, unknown>,
        schema: z.ZodType<T>,
      ): Promise<{ readonly value: T; readonly at: string }> {
        let place = await checkPlace(network, given, undefined);
        for (let hops = 0;; hops++) {
          try {
            const desk = await hold(guest, place);
            const job = { id: "fetch", idempotencyKey: "fetch" };
            const answer = await desk.call(method, [{ ...request(place.url), limits: left() }], {
              job,
              signal,
            });
            return { value: schema.parse(answer), at: place.url };
          } catch (error) {
            const next = redirectOf(error);
            if (next === undefined) throw toError(error, given);
            if (hops >= limits.redirects) {
              throw new CarrelError(
                "too_many_redirects",
                `Cannot fetch "${given}": it is sent on more than ${limits.redirects} times.`,
              );
            }
            await letGo();
            place = await checkPlace(network, next, place);
          }
        }
      }

      const left = (): SourceLimits => ({
        ...limits,
        downloadBytes: Math.max(0, limits.downloadBytes - downloaded),
      });

      function spend(bytes: number, url: string): void {
        downloaded += bytes;
        if (downloaded > limits.downloadBytes) {
          throw new CarrelError(
            "too_large",
            `Cannot fetch "${url}": it comes to more than ${sizeText(limits.downloadBytes)}.`,
          );
        }
      }

      function toError(error: unknown, what: string): unknown {
        if (given?.aborted) {
          return new CarrelError("cancelled", `Cannot fetch "${what}": it was cancelled.`);
        }
        if (over.signal.aborted) {
          return new CarrelError(
            "timed_out",
            `Cannot fetch "${what}": it took longer than ${limits.timeMs / 1000} s.`,
            { retryable: true },
          );
        }
        return fromGuest(error, what);
      }

      return {
        limits,
        async get(url, { accept, maxBytes } = {}) {
          const { value: got } = await call("web", "get", url, (at) => ({
            url: at,
            ...(accept === undefined ? {} : { accept }),
          }), gotSchema);
          if (maxBytes !== undefined && got.bytes.length > maxBytes) {
            throw new CarrelError(
              "too_large",
              `Cannot fetch "${url}": it is larger than ${sizeText(maxBytes)}.`,
            );
          }
          spend(got.bytes.length, url);
          return got;
        },
        async redirect(url) {
          const place = await network.checkSource(url);
          try {
            const desk = await hold("web", place);
            const request = { url: place.url, limits: { ...limits, downloadBytes: 0 } };
            await desk.call("get", [request], {
              job: { id: "fetch", idempotencyKey: "fetch" },
              signal,
            });
            return undefined;
          } catch (error) {
            const next = redirectOf(error);
            if (next !== undefined) return next;
            const known = toError(error, url);
            const answered = known instanceof CarrelError && !known.retryable &&
              (known.code === "too_large" || known.code === "http_error");
            if (answered) return undefined;
            throw known;
          }
        },
        async files(base, paths, follow) {
          const request = (at: string) => ({ base: at, paths, follow });
          const { value: files } = await call("web", "files", base, request, filesSchema);
          spend(files.reduce((sum, file) => sum + file.bytes.length, 0), base);
          return files;
        },
        async npm(url, name, wanted) {
          const accept = "application/vnd.npm.install-v1+json, application/json;q=0.8";
          const request = (at: string) => ({ url: at, name, wanted, accept });
          return (await call("web", "npm", url, request, npmSchema)).value;
        },
        async git(url, ref) {
          const request = (at: string) => ({ url: at, ...(ref === undefined ? {} : { ref }) });
          const { value, at } = await call("git", "clone", url, request, commitSchema);
          return { ...value, url: at };
        },
        async unpack(packed, what, format, manifest) {
          try {
            const desk = await hold("archive", undefined);
            const request = { bytes: packed, what, format, manifest, limits };
            const job = { id: "fetch", idempotencyKey: "fetch" };
            return entriesSchema.parse(await desk.call("unpack", [request], { job, signal }));
          } catch (error) {
            throw toError(error, what);
          }
        },
        async [Symbol.asyncDispose]() {
          clearTimeout(timer);
          await letGo();
        },
      };
    },
  };
}

function redirectOf(error: unknown): string | undefined {
  const { name, code, data } = error as { name?: string; code?: string; data?: { url?: unknown } };
  return name === "SandboxError" && code === "redirected" && typeof data?.url === "string"
    ? data.url
    : undefined;
}

/** What a call to a guest throws, as an error of the host. */
function fromGuest(error: unknown, what: string): unknown {
  if (error instanceof CarrelError || !(error instanceof Error)) return error;
  if (error instanceof z.ZodError) {
    return new CarrelError("internal", `Cannot fetch "${what}": the answer cannot be read.`, {
      cause: error,
    });
  }
  if (error.name !== "SandboxError") return error;
  const { code, message, retryable, data } = error as Error & {
    code: string;
    retryable: boolean;
    data: Readonly<Record<string, unknown>>;
  };
  if (code === "out_of_memory" || code === "output_exceeded" || code === "cpu_exceeded") {
    const why = `Cannot fetch "${what}": it takes more memory or time to unpack than a plugin may.`;
    return new CarrelError("too_large", why, { cause: error });
  }
  return new CarrelError(isErrorCode(code) ? code : "internal", message, {
    cause: error,
    retryable,
    ...(Object.keys(data).length === 0 ? {} : { details: data }),
  });
}
