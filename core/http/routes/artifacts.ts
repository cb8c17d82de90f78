/** Artifacts: list, read, download, note what readers do with them, delete. */
import { z } from "@hono/zod-openapi";
import { ARTIFACT_STATES } from "../../library/artifact.ts";
import type { Api } from "../api.ts";
import { artifactDetailJson, artifactJson } from "../artifact_json.ts";
import { fileHeaders, fileResponses, serveFile } from "../files.ts";
import { artifactDetailSchema, artifactSchema, pageOf, readerEventSchema } from "../schemas.ts";
import { fileParam, flag, id, idParam, json, pageQuery } from "./common.ts";

const listQuery = pageQuery.extend({
  parent: id.optional().openapi({ description: "What follows this artifact" }),
  chosen: flag.optional().openapi({ description: "Variants that were chosen, or were not" }),
  state: z.enum(ARTIFACT_STATES).optional().openapi({
    description: "All but `deleted` unless said",
  }),
  run: id.optional().openapi({ description: "What this run makes" }),
});

export function addArtifactRoutes(api: Api): void {
  const { library } = api.host;

  api.route("reader", {
    method: "get",
    path: "/api/artifacts",
    tags: ["artifacts"],
    summary: "List artifacts, newest first",
    request: { query: listQuery },
    responses: { 200: { description: "A page", content: json(pageOf(artifactSchema)) } },
  }, async (c) => {
    const page = await library.listArtifacts(c.req.valid("query"), c.get("actor"));
    return c.json({ items: page.items.map(artifactJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/artifacts/{id}",
    tags: ["artifacts"],
    summary: "An artifact, and the other variants of its parent",
    request: { params: idParam },
    responses: { 200: { description: "The artifact", content: json(artifactDetailSchema) } },
  }, async (c) => {
    const artifact = await library.getArtifact(c.req.valid("param").id, c.get("actor"));
    return c.json(artifactDetailJson(artifact), 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/artifacts/{id}/files/{name}",
    tags: ["artifacts"],
    summary: "A file of an artifact",
    request: { params: fileParam, headers: fileHeaders },
    responses: fileResponses,
  }, async (c) => {
    const { id, name } = c.req.valid("param");
    return await serveFile(c, library, await library.file(id, name, c.get("actor")));
  });

  api.route("reader", {
    method: "post",
    path: "/api/artifacts/{id}/events",
    tags: ["artifacts"],
    summary: "Note what you have done with an artifact",
    description: "Once of each kind; `reading.state` follows it.",
    request: { params: idParam, body: { required: true, content: json(readerEventSchema) } },
    responses: { 204: { description: "Noted" } },
  }, async (c) => {
    const { event } = c.req.valid("json");
    await library.noteArtifact(c.req.valid("param").id, event, c.get("actor"));
    return c.body(null, 204);
  });

  api.route("editor", {
    method: "delete",
    path: "/api/artifacts/{id}",
    tags: ["artifacts"],
    summary: "Delete an artifact",
    description:
      "Hidden from lists; with `hard_delete=true` its files go for good, and a tombstone stays in the lineage. One that its run still needs is refused.",
    request: { params: idParam, query: z.object({ hard_delete: flag.optional() }) },
    responses: { 204: { description: "Deleted" } },
  }, async (c) => {
    const hard = c.req.valid("query").hard_delete ?? false;
    await library.deleteArtifact(c.req.valid("param").id, { hard }, c.get("actor"));
    return c.body(null, 204);
  });
}
