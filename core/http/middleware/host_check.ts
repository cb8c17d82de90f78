/** Answers only requests that are addressed to this host: a fence against DNS rebinding. */
import { createMiddleware } from "hono/factory";
import { CarrelError } from "../../errors.ts";
import type { HttpEnv } from "../env.ts";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses requests whose `Host` is neither a loopback name nor one of `extraHosts` (names without port). The
 * port is not looked at: a page that has its own name resolve to this machine sends that name.
 */
export function hostCheck(extraHosts: readonly string[]) {
  const allowed = new Set([...LOOPBACK_NAMES, ...extraHosts.map((name) => name.toLowerCase())]);
  return createMiddleware<HttpEnv>(async (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    const name = host.toLowerCase().replace(/:\d*$/, "");
    if (!allowed.has(name)) {
      throw new CarrelError(
        "forbidden",
        `Cannot answer requests to "${host}": this host goes by other names.`,
      );
    }
    await next();
  });
}
