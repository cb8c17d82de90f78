/** Serving stored files: ranges, caching, and headers that keep a served file harmless. */
import type { Context } from "hono";
import { z } from "@hono/zod-openapi";
import type { Library, StoredFile } from "../library/library.ts";
import type { HttpEnv } from "./env.ts";
import { HttpError } from "./problem.ts";
import { noneMatch, parseRange } from "./range.ts";

/** Types that a browser shows by itself and that run no script. */
const SHOWN = /^(image\/(png|jpeg|gif|webp|avif)|audio\/|video\/|text\/plain$|application\/pdf$)/;

/**
 * Nothing in a served file may run, load or send anything: what is in the library came from strangers.
 */
const FILE_POLICY =
  "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const bytes = { "application/octet-stream": { schema: z.any().openapi({ format: "binary" }) } };

/** What the documents say of a route that serves a file. */
export const fileResponses = {
  200: { description: "The file", content: bytes },
  206: { description: "The part that `Range` asked for", content: bytes },
  304: { description: "What `If-None-Match` named is still the file" },
} as const;

/** The headers of a request that such a route heeds. */
export const fileHeaders = z.object({
  "range": z.string().max(200).optional().openapi({ example: "bytes=0-1023" }),
  "if-none-match": z.string().max(2000).optional(),
  "if-range": z.string().max(200).optional(),
});

/** Answers GET and HEAD for a file. Throws `range_not_satisfiable`. */
export async function serveFile(
  c: Context<HttpEnv>,
  library: Library,
  file: StoredFile,
): Promise<Response> {
  const etag = `"${file.digest}"`;
  const headers = new Headers({
    "etag": etag,
    "accept-ranges": "bytes",
    // The bytes may change under the same name with the next revision, so a cache has to ask.
    "cache-control": "private, no-cache",
    "content-security-policy": FILE_POLICY,
  });
  if (noneMatch(c.req.header("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }

  const ifRange = c.req.header("if-range");
  const wanted = ifRange === undefined || ifRange.trim() === etag
    ? parseRange(c.req.header("range"), file.size)
    : undefined;
  if (wanted === "unsatisfiable") {
    throw new HttpError(
      "range_not_satisfiable",
      `Cannot send that part of "${file.name}": it has ${file.size} bytes.`,
      { "content-range": `bytes */${file.size}` },
      { size: file.size },
    );
  }
  const mediaType = safeMediaType(file.mediaType);
  headers.set("content-type", mediaType);
  headers.set("content-disposition", disposition(file.name, mediaType));
  headers.set("content-length", String(wanted ? wanted.end - wanted.start : file.size));
  if (wanted) {
    headers.set("content-range", `bytes ${wanted.start}-${wanted.end - 1}/${file.size}`);
  }
  const body = c.req.method === "HEAD" ? null : await library.open(file, wanted);
  return new Response(body, { status: wanted ? 206 : 200, headers });
}

/** A plugin or a server said the type: what is no media type is not sent as one. */
function safeMediaType(mediaType: string): string {
  return /^[\w.+-]+\/[\w.+-]+(;\s*[\w-]+=("[\w .:-]*"|[\w.:-]+))*$/.test(mediaType)
    ? mediaType
    : "application/octet-stream";
}

/** `Content-Disposition` by RFC 6266: a plain name for old clients, the true one in UTF-8. */
function disposition(name: string, mediaType: string): string {
  const essence = mediaType.split(";")[0]!.toLowerCase();
  const kind = SHOWN.test(essence) ? "inline" : "attachment";
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(name.toWellFormed())
    .replaceAll(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
