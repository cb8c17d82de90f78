/** HTTP for the git library: bounded, and every redirect to another server given back to the host. */
import { fetchSource, PluginError } from "@carrel/sdk";
import type { GitHttpRequest, GitHttpResponse, HttpClient } from "isomorphic-git";
import { sizeText, type SourceLimits } from "./limits.ts";

export interface GitHttpOptions {
  /** The repository. */
  readonly url: string;
  readonly limits: Pick<SourceLimits, "downloadBytes" | "redirects" | "silenceMs">;
  readonly signal: AbortSignal;
}

const REFS = "/info/refs?service=git-upload-pack";

export function createGitHttp({ url: repository, limits, signal }: GitHttpOptions): HttpClient {
  let left = limits.downloadBytes;
  /** Where the repository is, after redirects on its server. */
  let base = repository;

  const tooLarge = () =>
    new PluginError(
      "too_large",
      `Cannot fetch "${repository}": it comes to more than ${sizeText(limits.downloadBytes)}.`,
    );

  async function refs(): Promise<GitHttpResponse> {
    try {
      const { bytes, mediaType, url } = await fetchSource(repository + REFS, {
        maxBytes: left,
        maxRedirects: limits.redirects,
        timeoutMs: limits.silenceMs,
        signal,
      });
      base = withoutRefs(url) ?? base;
      left -= bytes.length;
      return response(url, bytes, mediaType);
    } catch (error) {
      // The host is to start again with the repository, not with the list of its refs.
      const to = error instanceof PluginError && error.code === "redirected"
        ? withoutRefs(String(error.data?.url))
        : undefined;
      if (to === undefined) throw error;
      throw new PluginError("redirected", (error as Error).message, { data: { url: to } });
    }
  }

  async function post({ headers, body }: GitHttpRequest, path: string): Promise<GitHttpResponse> {
    const url = base + path;
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), limits.silenceMs);
    try {
      const answer = await fetch(url, {
        method: "POST",
        redirect: "manual",
        headers: headers ?? {},
        body: new Blob(await Array.fromAsync(body ?? []) as BlobPart[]),
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (answer.status !== 200) {
        await answer.body?.cancel();
        const data = { status: answer.status };
        throw new PluginError(
          "http_error",
          `Cannot fetch "${url}": the server refused the request (HTTP ${answer.status}).`,
          { data, retryable: answer.status >= 500 },
        );
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of answer.body ?? []) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), limits.silenceMs);
        left -= piece.length;
        if (left < 0) throw tooLarge();
        pieces.push(piece);
      }
      return response(url, pieces, answer.headers.get("content-type") ?? "");
    } catch (cause) {
      if (cause instanceof PluginError || signal.aborted) throw cause;
      const why = silence.signal.aborted
        ? `the server said nothing for ${limits.silenceMs / 1000} seconds`
        : "the connection broke off";
      throw new PluginError("fetch_failed", `Cannot fetch "${url}": ${why}.`, {
        cause,
        retryable: true,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async request(request) {
      // The library asks for just these two.
      if (request.url === repository + REFS) return await refs();
      return await post(request, request.url.slice(repository.length));
    },
  };
}

function withoutRefs(url: string): string | undefined {
  return url.endsWith(REFS) ? url.slice(0, -REFS.length) : undefined;
}

function response(
  url: string,
  body: Uint8Array | readonly Uint8Array[],
  mediaType: string,
): GitHttpResponse {
  const pieces = body instanceof Uint8Array ? [body] : body;
  return {
    url,
    method: "GET",
    statusCode: 200,
    statusMessage: "OK",
    headers: { "content-type": mediaType },
    body: (async function* () {
      yield* pieces;
    })(),
  };
}
