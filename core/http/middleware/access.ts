/** Who may do what: bearer tokens, tickets, roles, and a limit on failed log-ins. */
import type { Context } from "hono";
import type { Auth } from "../../auth/auth.ts";
import { hashToken } from "../../auth/tokens.ts";
import { CarrelError } from "../../errors.ts";
import { type Actor, type Role, ROLES } from "../../library/library.ts";
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
/** Addresses and tokens remembered; beyond it the oldest is forgotten. */
const MEMORY = 10_000;

/**
 * Finds out who asks. Throws `unauthorized`, `forbidden`, or `too_many_requests` for an address that failed
 * too often; tokens that were good before are let through even then, so that nobody can lock others out.
 */
export function accessCheck(auth: Auth, options: AccessOptions): AccessCheck {
  const failures = new Map<string, { count: number; until: number }>();
  const known = new Set<string>();

  function refuseIfTooMany(address: string, token: string): void {
    const failed = failures.get(address);
    if (failed === undefined || failed.count < options.maxFailures) return;
    const left = failed.until - options.now();
    if (left <= 0) {
      failures.delete(address);
    } else if (!known.has(hashToken(token))) {
      throw new HttpError(
        "too_many_requests",
        "Cannot log in: too many attempts failed from this address.",
        { "retry-after": String(Math.ceil(left / 1000)) },
      );
    }
  }

  function noteFailure(address: string): void {
    const failed = failures.get(address);
    if (failed !== undefined && failed.until > options.now()) {
      failed.count++;
      return;
    }
    failures.delete(address);
    failures.set(address, { count: 1, until: options.now() + WINDOW_MS });
    forgetOldest(failures);
  }

  async function identify(c: Context<HttpEnv>, rule: AccessRule): Promise<Actor> {
    const address = addressOf(c);
    const header = c.req.header("authorization");
    const token = header === undefined ? undefined : /^bearer +(\S+) *$/i.exec(header)?.[1];
    const ticket = rule.ticket && header === undefined ? c.req.query("ticket") : undefined;
    const secret = token ?? ticket;
    if (secret === undefined) {
      throw unauthorized(
        header === undefined
          ? "Cannot let you in: the request carries no token (Authorization: Bearer …)."
          : "Cannot let you in: the Authorization header is not of the form Bearer ….",
      );
    }
    refuseIfTooMany(address, secret);
    const actor = token !== undefined ? await auth.authenticate(token) : auth.redeemTicket(secret);
    if (actor === undefined) {
      noteFailure(address);
      throw unauthorized(
        token !== undefined
          ? "Cannot let you in: the token is not known, has ended or was revoked."
          : "Cannot let you in: the ticket is not known, was used, or is older than a minute.",
      );
    }
    if (token !== undefined) {
      known.add(hashToken(token));
      forgetOldest(known);
    }
    return actor;
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

function forgetOldest(
  memory: { size: number; keys(): Iterator<string>; delete(key: string): boolean },
) {
  if (memory.size <= MEMORY) return;
  const oldest = memory.keys().next();
  if (!oldest.done) memory.delete(oldest.value);
}
