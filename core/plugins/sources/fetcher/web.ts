/** The guest that fetches over HTTP. It is granted one server, on one port. */
import { fetchSource, type PluginContext, PluginError } from "@carrel/sdk";
import { createEntryGate, pathProblem } from "./entries.ts";
import { isModule, relativeImports } from "./imports.ts";
import { sizeText, type SourceLimits } from "./limits.ts";
import { findVersion, type NpmVersion } from "./npm.ts";

export type WebLimits = Pick<
  SourceLimits,
  "downloadBytes" | "totalBytes" | "fileBytes" | "files" | "redirects" | "silenceMs"
>;

export interface GetRequest {
  readonly url: string;
  readonly accept?: string;
  readonly limits: WebLimits;
}

export interface Got {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** After redirects. */
  readonly url: string;
}

/** A file that was fetched, by its place in the plugin's folder. */
export interface GotFile {
  readonly path: string;
  readonly url: string;
  readonly bytes: Uint8Array;
}

export interface FilesRequest {
  /** The manifest's URL: paths are relative to it. */
  readonly base: string;
  /** Files to fetch. */
  readonly paths: readonly string[];
  /** Whether what they import is fetched as well. */
  readonly follow: boolean;
  readonly limits: WebLimits;
}

/** Requests at the same time. */
const AT_ONCE = 6;

async function get({ url, accept, limits }: GetRequest, ctx: PluginContext): Promise<Got> {
  const { bytes, mediaType, url: final } = await fetchSource(url, {
    maxBytes: limits.downloadBytes,
    maxRedirects: limits.redirects,
    timeoutMs: limits.silenceMs,
    signal: ctx.signal,
    ...(accept === undefined ? {} : { accept }),
  });
  return { bytes, mediaType, url: final };
}

/** Files below a folder on the server and, if asked, all that they import, on and on. */
async function files(request: FilesRequest, ctx: PluginContext): Promise<readonly GotFile[]> {
  const { base, limits } = request;
  const gate = createEntryGate(base, limits);
  const known = new Set<string>();
  const done: GotFile[] = [];
  const waiting: string[] = [];
  const want = (path: string) => {
    if (known.has(path)) return;
    known.add(path);
    waiting.push(gate.file(path));
  };
  for (const path of request.paths) want(path);
  while (waiting.length > 0) {
    const batch = waiting.splice(0, AT_ONCE);
    const got = await Promise.all(batch.map((path) => file(path)));
    for (const { path, url, bytes } of got) {
      gate.count(path, bytes.length, bytes.length);
      done.push({ path, url, bytes });
      if (!request.follow || !isModule(path)) continue;
      const source = new TextDecoder().decode(bytes);
      for (const specifier of relativeImports(source, path)) want(resolve(path, specifier, base));
    }
  }
  return done;

  async function file(path: string): Promise<GotFile> {
    const url = new URL(path.split("/").map(encodeURIComponent).join("/"), base);
    const left = limits.downloadBytes - done.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (left <= 0) {
      throw new PluginError(
        "too_large",
        `Cannot fetch "${base}": its files come to more than ${sizeText(limits.downloadBytes)}.`,
        { data: { file: path } },
      );
    }
    try {
      const { bytes, url: final } = await fetchSource(url.href, {
        maxBytes: Math.min(limits.fileBytes, left),
        maxRedirects: limits.redirects,
        timeoutMs: limits.silenceMs,
        signal: ctx.signal,
      });
      return { path, url: final, bytes };
    } catch (error) {
      if (!(error instanceof PluginError) || error.code !== "redirected") throw error;
      throw new PluginError(
        "redirected",
        `Cannot fetch "${url.href}": the redirect leads to another server than the manifest's.`,
        { data: { file: path } },
      );
    }
  }
}

/** The file that a relative specifier names, by its place in the plugin's folder. */
export function resolve(importer: string, specifier: string, base: string): string {
  const refuse = (why: string) =>
    new PluginError(
      "unreadable",
      `Cannot fetch "${base}": ${importer} imports "${specifier.slice(0, 200)}", which ${why}.`,
      { data: { file: importer } },
    );
  if (/[?#%]/.test(specifier)) throw refuse("is not the plain name of a file");
  const parts = importer.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) throw refuse("leads out of the plugin's folder");
  }
  const path = parts.join("/");
  const wrong = pathProblem(path);
  if (wrong !== undefined) throw refuse(wrong);
  if (!/\.[a-z0-9]+$/i.test(path)) {
    throw refuse("has no extension: over the network a module is found by its whole name");
  }
  return path;
}

async function npm(
  request: GetRequest & { readonly name: string; readonly wanted: string },
  ctx: PluginContext,
): Promise<NpmVersion> {
  const { bytes } = await get(request, ctx);
  return findVersion(bytes, request.name, request.wanted);
}

export default { kind: "fetcher", methods: { get, files, npm } };
