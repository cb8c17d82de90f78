/** Imports: by URL, by form, or by the bare bytes of one file. */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Job } from "../../jobs/job.ts";
import { CarrelError } from "../../errors.ts";
import type { ImportOptions } from "../../library/library.ts";
import { type Api, invalid } from "../api.ts";
import { boundedBody, readBounded } from "../body.ts";
import { collectionSchema, metadataSchema } from "../bounded.ts";
import type { HttpEnv } from "../env.ts";
import { jobJson } from "../json.ts";
import { boundaryOf, readForm } from "../multipart.ts";
import { toCarrelError } from "../problem.ts";
import { acceptedSchema, importRequestSchema } from "../schemas.ts";
import { createSpool, type Spooled } from "../spool.ts";
import { idempotencyHeader, json } from "./common.ts";

type ImportRequest = z.infer<typeof importRequestSchema>;
type Fields = Omit<ImportRequest, "url" | "urls">;

/** One import that the request asks for. */
interface Start {
  /** The URL or the file's name. */
  readonly source: string;
  readonly run: (options: ImportOptions) => Promise<Job>;
}

const MAX_FILES = 100;
/** Of a form's text: metadata of the longest, and what its escapes add to it. */
const MAX_FIELD_BYTES = 256 * 1024;

const metadataText = z.string().transform((text, ctx) => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    ctx.addIssue({ code: "custom", message: "expected a JSON object" });
    return z.NEVER;
  }
}).pipe(metadataSchema);

/** The fields of a form, and of the query beside bare bytes: all of them text. */
const textFields = z.object({
  plugin: importRequestSchema.shape.plugin,
  priority: z.coerce.number().int().min(1).max(10).optional(),
  collection: collectionSchema.optional(),
  metadata: metadataText.optional(),
});

export function addImportRoute(api: Api): void {
  api.rawRoute("editor", {
    method: "post",
    path: "/api/content/import",
    tags: ["content"],
    summary: "Import URLs or files",
    description:
      "A JSON body with `url` or `urls`; a form with one or more `file` parts; or the bare bytes of one file as `application/octet-stream`, its name in `X-Filename` (percent-encoded), `plugin`, `priority` and `collection` in the query. One job a source. Where some of several sources can be started and others not, these are named in `rejected`.",
    request: {
      headers: idempotencyHeader.extend({ "x-filename": z.string().max(1000).optional() }),
      query: textFields.omit({ metadata: true }),
      body: {
        required: true,
        content: {
          "application/json": { schema: importRequestSchema },
          "multipart/form-data": {
            schema: {
              type: "object",
              properties: {
                file: { type: "array", items: { type: "string", format: "binary" } },
                plugin: { type: "string" },
                priority: { type: "integer", minimum: 1, maximum: 10 },
                collection: { type: "string", minLength: 1, maxLength: 200 },
                metadata: { type: "string", description: "A JSON object" },
              },
              required: ["file"],
            },
          },
          "application/octet-stream": { schema: { type: "string", format: "binary" } },
        },
      },
    },
    responses: {
      202: { description: "The imports go on as jobs", content: json(acceptedSchema) },
    },
  }, async (c) => {
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    if (type === "application/json") return await importUrls(api, c);
    if (type === "multipart/form-data") return await importForm(api, c);
    if (type === "application/octet-stream") return await importBytes(api, c);
    throw new CarrelError(
      "unsupported_media_type",
      `Cannot import a body of type "${
        type ?? "unknown"
      }": send application/json, multipart/form-data or application/octet-stream.`,
    );
  });
}

async function importUrls(api: Api, c: Context<HttpEnv>): Promise<Response> {
  const { maxJsonBytes: maxBytes, bodyIdleMs: idleMs } = api.settings;
  const bytes = await readBounded(c.req.raw, { maxBytes, idleMs });
  const { url, urls, ...fields } = parsed(importRequestSchema, parseJson(bytes), "json");
  const wanted = [...(url === undefined ? [] : [url]), ...(urls ?? [])];
  if (wanted.length === 0) {
    throw invalid("json", [{ path: ["url"], message: "expected url or urls" }]);
  }
  return await startAll(
    c,
    fields,
    wanted.map((source) => ({
      source,
      run: (options) => api.host.library.importUrl(source, options, c.get("actor")),
    })),
  );
}

async function importForm(api: Api, c: Context<HttpEnv>): Promise<Response> {
  const { maxUploadBytes: maxBytes, bodyIdleMs: idleMs } = api.settings;
  const boundary = boundaryOf(c.req.header("content-type") ?? "");
  const files: { name: string; mediaType: string | undefined; content: Spooled }[] = [];
  const texts: Record<string, string> = {};
  // A form's fields may stand behind its files, and a form that breaks off must start nothing.
  await using spool = createSpool();
  for await (const part of readForm(boundedBody(c.req.raw, { maxBytes, idleMs }), boundary)) {
    if (part.name === "file" && part.filename !== undefined) {
      if (files.length >= MAX_FILES) {
        throw new CarrelError(
          "invalid_upload",
          `Cannot take more than ${MAX_FILES} files at once.`,
        );
      }
      const content = await spool.add(part.body);
      files.push({ name: fileName(part.filename), mediaType: part.mediaType, content });
    } else if (Object.hasOwn(textFields.shape, part.name)) {
      texts[part.name] = await readText(part.name, part.body);
    } else {
      throw invalid("form", [{
        path: [part.name],
        message: `expected one of file, ${Object.keys(textFields.shape).join(", ")}`,
      }]);
    }
  }
  if (files.length === 0) {
    throw invalid("form", [{ path: ["file"], message: "expected at least one file" }]);
  }
  return await startAll(
    c,
    parsed(textFields, texts, "form"),
    files.map(({ name, mediaType, content }) => ({
      source: name,
      run: async (options) => {
        const bytes = await content.open();
        return await api.host.library.importUpload(
          { name, mediaType, bytes },
          options,
          c.get("actor"),
        );
      },
    })),
  );
}

async function importBytes(api: Api, c: Context<HttpEnv>): Promise<Response> {
  const { maxUploadBytes: maxBytes, bodyIdleMs: idleMs } = api.settings;
  const fields = parsed(textFields.omit({ metadata: true }), c.req.query(), "query");
  const name = fileName(decoded(c.req.header("x-filename") ?? "upload"));
  const bytes = boundedBody(c.req.raw, { maxBytes, idleMs });
  return await startAll(c, fields, [{
    source: name,
    run: (options) =>
      api.host.library.importUpload({ name, mediaType: undefined, bytes }, options, c.get("actor")),
  }]);
}

/** Starts them one after the other. Throws the first failure if none could be started. */
async function startAll(
  c: Context<HttpEnv>,
  fields: Fields,
  starts: readonly Start[],
): Promise<Response> {
  const headers = parsed(
    idempotencyHeader,
    { "idempotency-key": c.req.header("idempotency-key") },
    "header",
  );
  const key = headers["idempotency-key"];
  const jobs: Job[] = [];
  const failed: { source: string; error: CarrelError }[] = [];
  for (const [index, { source, run }] of starts.entries()) {
    // Each source has a key of its own, else the second would be answered with the job of the first.
    const idempotencyKey = key === undefined ? undefined : `import:${key}:${index}`;
    try {
      jobs.push(await run({ ...fields, idempotencyKey }));
    } catch (thrown) {
      const { error, expected } = toCarrelError(thrown);
      if (!expected) throw thrown;
      failed.push({ source, error });
    }
  }
  const [first] = jobs;
  if (first === undefined) throw failed[0]!.error;
  const rejected = failed.map(({ source, error }) => ({
    source,
    code: error.code,
    detail: error.message,
  }));
  return c.json(
    {
      job: jobJson(first),
      jobs: jobs.map(jobJson),
      ...(rejected.length === 0 ? {} : { rejected }),
    },
    202,
    { location: `/api/jobs/${first.id}` },
  );
}

function parsed<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (!result.success) throw invalid(where, result.error.issues);
  return result.data;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new CarrelError("bad_request", "Cannot read the request: its body is not JSON.");
  }
}

async function readText(name: string, body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let size = 0;
  for await (const piece of body) {
    size += piece.byteLength;
    if (size > MAX_FIELD_BYTES) {
      throw new CarrelError(
        "too_large",
        `Cannot take the field "${name}": it is larger than ${MAX_FIELD_BYTES} bytes.`,
        { details: { field: name, max_bytes: MAX_FIELD_BYTES } },
      );
    }
    text += decoder.decode(piece, { stream: true });
  }
  return text + decoder.decode();
}

/** The name without folders and control characters. */
function fileName(given: string): string {
  const base = given.split(/[/\\]/).at(-1) ?? "";
  // deno-lint-ignore no-control-regex
  const clean = base.replaceAll(/[\x00-\x1f\x7f]/g, "").trim();
  return clean === "" || clean === "." || clean === ".." ? "upload" : clean.slice(-255);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
