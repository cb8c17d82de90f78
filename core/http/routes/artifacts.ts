/** Artifacts: list, read, download. */
import type { Api } from "../api.ts";
import { fileHeaders, fileResponses, serveFile } from "../files.ts";
import { artifactJson } from "../json.ts";
import { artifactSchema, pageOf } from "../schemas.ts";
import { fileParam, idParam, json, pageQuery } from "./common.ts";

export function addArtifactRoutes(api: Api): void {
  const { library } = api.host;

  api.route("reader", {
    method: "get",
    path: "/api/artifacts",
    tags: ["artifacts"],
    summary: "List artifacts, newest first",
    request: { query: pageQuery },
    responses: { 200: { description: "A page", content: json(pageOf(artifactSchema)) } },
  }, async (c) => {
    const page = await library.listArtifacts(c.req.valid("query"), c.get("actor"));
    return c.json({ items: page.items.map(artifactJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/artifacts/{id}",
    tags: ["artifacts"],
    summary: "An artifact",
    request: { params: idParam },
    responses: { 200: { description: "The artifact", content: json(artifactSchema) } },
  }, async (c) => {
    const artifact = await library.getArtifact(c.req.valid("param").id, c.get("actor"));
    return c.json(artifactJson(artifact), 200);
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
    await library.getArtifact(id, c.get("actor"));
    return await serveFile(c, library, await library.file(id, name, c.get("actor")));
  });
}
