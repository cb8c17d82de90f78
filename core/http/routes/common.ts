/** Schemas that several families of routes share. */
import { z } from "@hono/zod-openapi";

/** Ids of jobs, contents, artifacts, plugins, lineage nodes. */
export const id = z.string().min(1).max(200);

export const idParam = z.object({ id: id.openapi({ param: { name: "id", in: "path" } }) });

export const fileParam = idParam.extend({
  name: z.string().min(1).max(300).openapi({ param: { name: "name", in: "path" } }),
});

/** `limit` and `cursor` of a list. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).optional().openapi({
    description: "Items of one page; 50 unless said",
  }),
  cursor: z.string().min(1).max(1000).optional().openapi({
    description: "`cursor` of the page before",
  }),
});

/** `true` or `false` in a query. */
export const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** `Idempotency-Key`: requests with the same key get the same job. */
export const idempotencyHeader = z.object({
  "idempotency-key": z.string().regex(/^[\x21-\x7e]{1,200}$/, {
    error: "expected 1 to 200 visible ASCII characters",
  }).optional().openapi({ description: "Requests with the same key get the same job" }),
});

/** The content of a JSON answer or request. */
export function json<T>(schema: T) {
  return { "application/json": { schema } };
}
