/** Provenance: where a thing came from, what was made of it, and how to credit it. */
import { z } from "@hono/zod-openapi";
import type { Api } from "../api.ts";
import { attributionJson, genealogyJson } from "../json.ts";
import { attributionSchema, genealogySchema } from "../schemas.ts";
import { idParam, json } from "./common.ts";

const thingParam = idParam.extend({
  type: z.string().regex(/^[A-Za-z][A-Za-z_-]{0,40}$/, { error: "expected a word" }).openapi({
    param: { name: "type", in: "path" },
    description: "What the id names: `content`, `artifact`, `job`, …; for readers of the URL",
  }),
});

const generatedSchema = z.object({
  items: z.array(z.object({ artifact: z.string(), title: z.string(), created: z.string() })),
}).openapi("GeneratedContent");

export function addProvenanceRoutes(api: Api): void {
  const { provenance } = api.host;

  api.route("reader", {
    method: "get",
    path: "/api/provenance/document/{id}/generated-content",
    tags: ["provenance"],
    summary: "The artifacts that were made from a content",
    request: { params: idParam },
    responses: { 200: { description: "Artifacts", content: json(generatedSchema) } },
  }, async (c) => {
    const made = await provenance.generatedFrom(c.req.valid("param").id, c.get("actor"));
    const items = made.map(({ artifact, title, created }) => ({ artifact, title, created }));
    return c.json({ items }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/provenance/{type}/{id}/genealogy",
    tags: ["provenance"],
    summary: "The ancestors of a thing",
    request: {
      params: thingParam,
      query: z.object({
        depth: z.coerce.number().int().min(1).max(50).optional().openapi({
          description: "Edges away at most; 10 unless said",
        }),
      }),
    },
    responses: { 200: { description: "Nodes and edges", content: json(genealogySchema) } },
  }, async (c) => {
    const { depth } = c.req.valid("query");
    const { id } = c.req.valid("param");
    return c.json(genealogyJson(await provenance.genealogy(id, { depth }, c.get("actor"))), 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/provenance/{type}/{id}/attribution",
    tags: ["provenance"],
    summary: "Which part of an artifact was made of which passages, and a text that credits them",
    request: { params: thingParam },
    responses: { 200: { description: "The report", content: json(attributionSchema) } },
  }, async (c) => {
    const report = await provenance.attribution(c.req.valid("param").id, c.get("actor"));
    return c.json(attributionJson(report), 200);
  });
}
