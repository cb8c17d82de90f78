/** Tokens and tickets. */
import { z } from "@hono/zod-openapi";
import type { Api } from "../api.ts";
import { tokenJson } from "../json.ts";
import { createdTokenSchema, newTokenSchema, tokenSchema } from "../schemas.ts";
import { idParam, json } from "./common.ts";

const ticketSchema = z.object({
  ticket: z.string(),
  expires_in: z.number().int().openapi({ description: "Seconds" }),
}).openapi("Ticket");

export function addTokenRoutes(api: Api): void {
  const { auth } = api.host;

  api.route("admin", {
    method: "get",
    path: "/api/tokens",
    tags: ["access"],
    summary: "List tokens",
    responses: {
      200: { description: "Tokens", content: json(z.object({ items: z.array(tokenSchema) })) },
    },
  }, async (c) => c.json({ items: (await auth.listTokens()).map(tokenJson) }, 200));

  api.route("admin", {
    method: "post",
    path: "/api/tokens",
    tags: ["access"],
    summary: "Make a token",
    description: "The answer shows the token this once; the host keeps its hash only.",
    request: { body: { required: true, content: json(newTokenSchema) } },
    responses: { 201: { description: "The token", content: json(createdTokenSchema) } },
  }, async (c) => {
    const { name, role, expires } = c.req.valid("json");
    const made = await auth.createToken({ name, role, expires });
    return c.json({ ...tokenJson(made), token: made.token }, 201);
  });

  api.route("admin", {
    method: "delete",
    path: "/api/tokens/{id}",
    tags: ["access"],
    summary: "Revoke a token",
    request: { params: idParam },
    responses: { 204: { description: "Revoked" } },
  }, async (c) => {
    await auth.revokeToken(c.req.valid("param").id);
    return c.body(null, 204);
  });

  api.route("reader", {
    method: "post",
    path: "/api/tickets",
    tags: ["access"],
    summary: "Get a ticket for an event stream",
    description:
      "Put it into the URL of an event stream (`?ticket=`), where a token never stands. It is good for one minute and one use.",
    responses: { 201: { description: "The ticket", content: json(ticketSchema) } },
  }, (c) => c.json({ ticket: auth.issueTicket(c.get("actor")), expires_in: 60 }, 201));
}
