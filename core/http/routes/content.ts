/** Contents: list, read, delete; and exports made of them. */
import { z } from "@hono/zod-openapi";
import { CONTENT_TYPES } from "../../../sdk/types.ts";
import type { Api } from "../api.ts";
import { fileHeaders, fileResponses, serveFile } from "../files.ts";
import { contentJson, jobJson } from "../json.ts";
import { acceptedSchema, contentSchema, exportRequestSchema, pageOf } from "../schemas.ts";
import { fileParam, flag, idempotencyHeader, idParam, json, pageQuery } from "./common.ts";

export function addContentRoutes(api: Api): void {
  const { library } = api.host;

  api.route("editor", {
    method: "post",
    path: "/api/content/export",
    tags: ["content"],
    summary: "Make an artifact of contents",
    request: {
      headers: idempotencyHeader,
      body: { required: true, content: json(exportRequestSchema) },
    },
    responses: {
      202: { description: "The export goes on as a job", content: json(acceptedSchema) },
    },
  }, async (c) => {
    const body = c.req.valid("json");
    const key = c.req.valid("header")["idempotency-key"];
    const job = jobJson(
      await library.export({
        sourceIds: body.source_ids,
        format: body.format,
        plugin: body.plugin,
        parameters: body.parameters,
        priority: body.priority,
        versionOf: body.provenance?.version_of,
        reason: body.provenance?.reason,
        idempotencyKey: key === undefined ? undefined : `export:${key}`,
      }, c.get("actor")),
    );
    return c.json({ job, jobs: [job] }, 202, { location: `/api/jobs/${job.id}` });
  });

  api.route("reader", {
    method: "get",
    path: "/api/content",
    tags: ["content"],
    summary: "List contents, newest first",
    request: {
      query: pageQuery.extend({
        type: z.enum(CONTENT_TYPES).optional(),
        collection: z.string().max(200).optional(),
        url: z.string().max(8192).optional(),
      }),
    },
    responses: { 200: { description: "A page", content: json(pageOf(contentSchema)) } },
  }, async (c) => {
    const page = await library.listContent(c.req.valid("query"), c.get("actor"));
    return c.json({ items: page.items.map(contentJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/content/{id}",
    tags: ["content"],
    summary: "A content",
    request: { params: idParam },
    responses: { 200: { description: "The content", content: json(contentSchema) } },
  }, async (c) => {
    const content = await library.getContent(c.req.valid("param").id, c.get("actor"));
    return c.json(contentJson(content), 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/content/{id}/files/{name}",
    tags: ["content"],
    summary: "A file of a content",
    description: "The original, or `extracted.txt`.",
    request: { params: fileParam, headers: fileHeaders },
    responses: fileResponses,
  }, async (c) => {
    const { id, name } = c.req.valid("param");
    await library.getContent(id, c.get("actor"));
    return await serveFile(c, library, await library.file(id, name, c.get("actor")));
  });

  api.route("editor", {
    method: "delete",
    path: "/api/content/{id}",
    tags: ["content"],
    summary: "Delete a content",
    description:
      "Hidden from lists and search; with `hard_delete=true` its text and files go for good.",
    request: { params: idParam, query: z.object({ hard_delete: flag.optional() }) },
    responses: { 204: { description: "Deleted" } },
  }, async (c) => {
    const hard = c.req.valid("query").hard_delete ?? false;
    await library.deleteContent(c.req.valid("param").id, { hard }, c.get("actor"));
    return c.body(null, 204);
  });
}
