/** Users and tokens in the sql store. */
import { CarrelError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Actor, Role } from "./actor.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import type { Auth, TokenInfo } from "./auth.ts";
import { createTickets } from "./tickets.ts";
import { hashToken, looksLikeToken, newToken } from "./tokens.ts";

export interface SqlAuthOptions {
  /** The clock, milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** `last_used` is a help for people: a write a minute is enough, one for each request would be too much. */
const LAST_USED_STEP_MS = 60_000;

/** The access rules of one host. Call `bootstrap` before the first request is let in. */
export function createSqlAuth(store: SqlStore, options: SqlAuthOptions = {}): Auth {
  const now = options.now ?? Date.now;
  const timestamp = () => new Date(now()).toISOString();
  const tickets = createTickets({ now });
  const session = newToken();
  const sessionHash = hashToken(session);

  /** The first admin: whom the session token stands for, so that what it makes has an owner. */
  async function firstAdmin(): Promise<Actor | undefined> {
    const user = await store.db.selectFrom("user").select("id").where("role", "=", "admin")
      .orderBy("created").orderBy("id").executeTakeFirst();
    return user === undefined ? undefined : { user: user.id, role: "admin" };
  }

  async function insertToken(
    tx: Tx,
    user: { id: string; role: Role },
    name: string,
    expires: string | undefined,
  ): Promise<TokenInfo & { token: string }> {
    const token = newToken();
    const row = { id: newId("token"), user_id: user.id, name, created: timestamp() };
    await tx.insertInto("token").values({
      ...row,
      hash: hashToken(token),
      last_used: null,
      expires: expires ?? null,
    }).execute();
    return {
      id: row.id,
      name,
      user: user.id,
      role: user.role,
      created: row.created,
      lastUsed: undefined,
      expires,
      token,
    };
  }

  return {
    bootstrap: () =>
      store.transaction(async (tx) => {
        const known = await tx.selectFrom("user").select("id").executeTakeFirst();
        if (known !== undefined) return undefined;
        const user = await insertUser(tx, "admin", "admin", timestamp());
        return (await insertToken(tx, user, "admin", undefined)).token;
      }),

    async authenticate(token) {
      if (!looksLikeToken(token)) return undefined;
      const hash = hashToken(token);
      if (hash === sessionHash) return await firstAdmin();
      const row = await store.db.selectFrom("token").innerJoin("user", "user.id", "token.user_id")
        .select(["token.id", "token.last_used", "token.expires", "token.user_id", "user.role"])
        .where("token.hash", "=", hash).executeTakeFirst();
      if (row === undefined) return undefined;
      if (row.expires !== null && Date.parse(row.expires) <= now()) return undefined;
      if (row.last_used === null || now() - Date.parse(row.last_used) >= LAST_USED_STEP_MS) {
        await store.db.updateTable("token").set({ last_used: timestamp() })
          .where("id", "=", row.id).execute();
      }
      return { user: row.user_id, role: row.role as Role };
    },

    sessionToken: () => session,

    async createToken({ name, role, expires }) {
      const until = expires === undefined ? undefined : futureTime(expires, now());
      return await store.transaction(async (tx) => {
        const user = await userFor(tx, name, role, timestamp());
        return await insertToken(tx, user, name, until);
      });
    },

    async listTokens() {
      const rows = await store.db.selectFrom("token")
        .innerJoin("user", "user.id", "token.user_id")
        .select([
          "token.id",
          "token.name",
          "token.user_id",
          "user.role",
          "token.created",
          "token.last_used",
          "token.expires",
        ])
        .orderBy("token.created").orderBy("token.id").execute();
      return rows.map((row) => ({
        id: row.id,
        name: row.name,
        user: row.user_id,
        role: row.role as Role,
        created: row.created,
        lastUsed: row.last_used ?? undefined,
        expires: row.expires ?? undefined,
      }));
    },

    async revokeToken(id) {
      const result = await store.db.deleteFrom("token").where("id", "=", id).executeTakeFirst();
      if (result.numDeletedRows === 0n) {
        throw new CarrelError("not_found", `Cannot revoke token "${id}": there is no such token.`);
      }
    },

    issueTicket: (actor) => tickets.issue(actor),
    redeemTicket: (ticket) => tickets.redeem(ticket),
  };
}

async function insertUser(
  tx: Tx,
  name: string,
  role: Role,
  created: string,
): Promise<{ id: string; role: Role }> {
  const id = newId("user");
  await tx.insertInto("user").values({ id, name, role, created }).execute();
  return { id, role };
}

/**
 * The user that a new token belongs to: the one of that name, or a new one. A role is the user's and stays,
 * so that no token changes what another one may do, and the first admin remains.
 */
async function userFor(
  tx: Tx,
  name: string,
  role: Role,
  created: string,
): Promise<{ id: string; role: Role }> {
  const user = await tx.selectFrom("user").select(["id", "role"]).where("name", "=", name)
    .executeTakeFirst();
  if (user === undefined) return await insertUser(tx, name, role, created);
  if (user.role === role) return { id: user.id, role };
  throw new CarrelError(
    "conflict",
    `Cannot create token "${name}": the user of that name is ${user.role}; take another name.`,
    { details: { field: "name" } },
  );
}

/** An ISO 8601 time after now, in UTC. */
function futureTime(text: string, nowMs: number): string {
  const time = Date.parse(text);
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(time) || time <= nowMs) {
    throw new CarrelError(
      "bad_request",
      `Cannot use "${text}" as the end of a token: it is not a time in the future (ISO 8601).`,
      { details: { field: "expires" } },
    );
  }
  return new Date(time).toISOString();
}
