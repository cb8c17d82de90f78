/** What every request gets: an id, a time, headers that keep browsers from guessing. */
import { createMiddleware } from "hono/factory";
import type { HttpEnv } from "../env.ts";

/** Sets `requestId`, and the headers `X-Request-Id` and `Server-Timing` of the answer. */
export const withRequestId = createMiddleware<HttpEnv>(async (c, next) => {
  const id = crypto.randomUUID();
  const began = performance.now();
  c.set("requestId", id);
  await next();
  // The answer to a WebSocket upgrade belongs to the runtime: its headers cannot be changed.
  if (c.res.status === 101) return;
  const headers = c.res.headers;
  headers.set("x-request-id", id);
  headers.set("server-timing", `app;dur=${(performance.now() - began).toFixed(2)}`);
  headers.set("x-content-type-options", "nosniff");
  headers.set("referrer-policy", "no-referrer");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (!headers.has("content-security-policy")) {
    headers.set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
  }
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
});
