/** Who may do what: bearer tokens, tickets, roles, and a limit on failed tokens. */
import type { Context } from "hono";
import type { Auth } from "../../auth/auth.ts";
import { CarrelError } from "../../errors.ts";
import { type Actor, type Role, ROLES } from "../../auth/actor.ts";
import type { HttpEnv } from "../env.ts";
import { HttpError } from "../problem.ts";

/** Who may use a route: anyone, or a user of this role or a larger one. */
export type Access = "open" | Role;

export interface AccessOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Failures that one address may have in a minute. */
  readonly maxFailures: number;
}

export interface AccessRule {
  readonly role: Role;
  /** Whether a one-time `?ticket=` counts: for SSE and WebSocket, where browsers send no header. */
  readonly ticket: boolean;
}

export type AccessCheck = (c: Context<HttpEnv>, rule: AccessRule) => Promise<Actor>;

const WINDOW_MS = 60_000;
/** Addresses remembered; beyond it the oldest is forgotten. */
const MEMORY = 10_000;

/**
 * Finds out who asks. Throws `unauthorized`, `forbidden`, or `too_many_requests` instead of `unauthorized` for an
 * address that failed too often. Whoever shows what is good gets in at any time: from one address may come
 * good requests and those of any web page that is open in the same browser, which must lock nobody out. Tickets
 * are not counted, since they are all that a page can send without being asked.
 */
export function accessCheck(auth: Auth, options: AccessOptions): AccessCheck {
  const failures = new Map<string, { count: number; until: number }>();

  /** Counts a failed token, and says how long the address is to wait: 0 for not at all. */
  function noteFailure(address: string): number {
    const now = options.now();
    const failed = failures.get(address);
    if (failed !== undefined && failed.until > now) {
      if (failed.count >= options.maxFailures) return failed.until - now;
      failed.count++;
      return 0;
    }
    failures.delete(address);
    failures.set(address, { count: 1, until: now + WINDOW_MS });
    forgetOldest(failures);
    return 0;
  }

  async function byToken(c: Context<HttpEnv>, token: string): Promise<Actor> {
    const actor = await auth.authenticate(token);
    if (actor !== undefined) return actor;
    const waitMs = noteFailure(addressOf(c));
    if (waitMs === 0) {
      throw unauthorized("Cannot let you in: the token is not known, has ended or was revoked.");
    }
    throw new HttpError(
      "too_many_requests",
      "Cannot let you in: the token is not known, and too many others failed from this address.",
      { "retry-after": String(Math.ceil(waitMs / 1000)) },
    );
  }

  function byTicket(ticket: string): Actor {
    const actor = auth.redeemTicket(ticket);
    if (actor !== undefined) return actor;
    throw unauthorized(
      "Cannot let you in: the ticket is not known, was used, or is older than a minute.",
    );
  }

  async function identify(c: Context<HttpEnv>, rule: AccessRule): Promise<Actor> {
    const header = c.req.header("authorization");
    if (header === undefined) {
      const ticket = rule.ticket ? c.req.query("ticket") : undefined;
      if (ticket !== undefined) return byTicket(ticket);
      throw unauthorized(
        "Cannot let you in: the request carries no token (Authorization: Bearer …).",
      );
    }
    const token = /^bearer +(\S+) *$/i.exec(header)?.[1];
    if (token !== undefined) return await byToken(c, token);
    throw unauthorized(
      "Cannot let you in: the Authorization header is not of the form Bearer ….",
    );
  }

  return async (c, rule) => {
    const actor = await identify(c, rule);
    if (ROLES.indexOf(actor.role) < ROLES.indexOf(rule.role)) {
      throw new CarrelError(
        "forbidden",
        `Cannot do that as ${actor.role}: it takes the role ${rule.role}.`,
        { details: { role: rule.role } },
      );
    }
    return actor;
  };
}

function unauthorized(message: string): HttpError {
  return new HttpError("unauthorized", message, { "www-authenticate": 'Bearer realm="carrel"' });
}

function addressOf(c: Context<HttpEnv>): string {
  // Where the app is called directly there is no connection, and no `env` either.
  const address = (c.env as HttpEnv["Bindings"] | undefined)?.remoteAddr;
  return address !== undefined && "hostname" in address ? address.hostname : "local";
}

function forgetOldest(memory: Map<string, unknown>): void {
  if (memory.size <= MEMORY) return;
  const oldest = memory.keys().next();
  if (!oldest.done) memory.delete(oldest.value);
}
