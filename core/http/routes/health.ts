/** Whether the host lives, and whether its stores answer. */
import { z } from "@hono/zod-openapi";
import type { Api } from "../api.ts";
import { json } from "./common.ts";

const aliveSchema = z.object({ status: z.literal("ok"), version: z.string() }).openapi("Alive");
const readySchema = z.object({
  status: z.enum(["ready", "unavailable"]),
  stores: z.record(z.string(), z.boolean()),
}).openapi("Ready");

export function addHealthRoutes(api: Api): void {
  const { host } = api;

  api.route("open", {
    method: "get",
    path: "/healthz",
    tags: ["health"],
    summary: "Whether the host lives",
    responses: { 200: { description: "It does", content: json(aliveSchema) } },
  }, (c) => c.json({ status: "ok" as const, version: host.version }, 200));

  api.route("open", {
    method: "get",
    path: "/readyz",
    tags: ["health"],
    summary: "Whether each store answers",
    responses: {
      200: { description: "All do", content: json(readySchema) },
      503: { description: "One does not", content: json(readySchema) },
    },
  }, async (c) => {
    const stores = { ...await host.ready() };
    return Object.values(stores).every(Boolean)
      ? c.json({ status: "ready" as const, stores }, 200)
      : c.json({ status: "unavailable" as const, stores }, 503);
  });
}
