/** Search. */
import { z } from "@hono/zod-openapi";
import type { Api } from "../api.ts";
import { searchHitJson } from "../json.ts";
import { searchAnswerSchema } from "../schemas.ts";
import { json } from "./common.ts";

export function addSearchRoutes(api: Api): void {
  api.route("reader", {
    method: "get",
    path: "/api/search",
    tags: ["search"],
    summary: "Find passages of the library",
    request: {
      query: z.object({
        q: z.string().trim().min(1).max(1000),
        k: z.coerce.number().int().min(1).max(100).optional().openapi({
          description: "Hits wanted; 10 unless said",
        }),
        collection: z.string().max(200).optional(),
        type: z.string().max(50).optional(),
        language: z.string().max(35).optional(),
      }),
    },
    responses: { 200: { description: "Hits, best first", content: json(searchAnswerSchema) } },
  }, async (c) => {
    const query = c.req.valid("query");
    const hits = await api.host.search.search(query, c.get("actor"));
    return c.json({ query: query.q, hits: hits.map(searchHitJson) }, 200);
  });
}
