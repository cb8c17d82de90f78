import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CarrelError } from "../errors.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Auth } from "./auth.ts";
import { createSqlAuth } from "./sql_auth.ts";
import { newToken } from "./tokens.ts";

const migrationsDir = fileURLToPath(new URL("../../migrations/sql", import.meta.url));

async function withAuth(
  work: (auth: Auth, parts: { store: SqlStore; clock: { ms: number } }) => Promise<void>,
): Promise<void> {
  await using store = await openSqlite(":memory:", { migrationsDir });
  const clock = { ms: Date.parse("2030-01-01T00:00:00Z") };
  await work(createSqlAuth(store, { now: () => clock.ms }), { store, clock });
}

const code = (expected: string) => (error: unknown) =>
  error instanceof CarrelError && error.code === expected;

Deno.test("bootstrap() makes one admin token when there is no user, and none after that", async () => {
  await withAuth(async (auth, { store }) => {
    const token = await auth.bootstrap();
    assert.match(token ?? "", /^carrel_[A-Za-z0-9_-]{43}$/);
    assert.equal((await auth.authenticate(token!))?.role, "admin");
    assert.equal(await auth.bootstrap(), undefined);
    assert.equal(await createSqlAuth(store).bootstrap(), undefined);
    assert.equal((await auth.listTokens()).length, 1);
  });
});

Deno.test("createSqlAuth() stores no token, only its hash", async () => {
  await withAuth(async (auth, { store }) => {
    const token = await auth.bootstrap();
    const rows = await store.db.selectFrom("token").selectAll().execute();
    assert.equal(rows.length, 1);
    assert.ok(!JSON.stringify(rows).includes(token!.slice("carrel_".length)));
    assert.match(rows[0]!.hash, /^[0-9a-f]{64}$/);
  });
});

Deno.test("authenticate() knows nobody by a strange, empty or malformed token", async () => {
  await withAuth(async (auth) => {
    await auth.bootstrap();
    for (const token of ["", "x", newToken(), "carrel_", `${newToken()}x`, "' or 1=1 --"]) {
      assert.equal(await auth.authenticate(token), undefined, token);
    }
  });
});

Deno.test("sessionToken() lets in as the first admin, is not stored, and ends with its start", async () => {
  await withAuth(async (auth, { store }) => {
    assert.equal(await auth.authenticate(auth.sessionToken()), undefined);
    const admin = await auth.authenticate((await auth.bootstrap())!);
    assert.deepEqual(await auth.authenticate(auth.sessionToken()), admin);
    assert.equal((await auth.listTokens()).length, 1);
    const nextStart = createSqlAuth(store);
    assert.equal(await nextStart.authenticate(auth.sessionToken()), undefined);
    assert.notEqual(nextStart.sessionToken(), auth.sessionToken());
  });
});

Deno.test("createToken() makes a user of the role, once for each name", async () => {
  await withAuth(async (auth) => {
    await auth.bootstrap();
    const first = await auth.createToken({ name: "laptop", role: "reader" });
    const second = await auth.createToken({ name: "laptop", role: "reader" });
    assert.equal(first.user, second.user);
    assert.notEqual(first.token, second.token);
    assert.deepEqual(await auth.authenticate(first.token), { user: first.user, role: "reader" });
    await assert.rejects(auth.createToken({ name: "laptop", role: "admin" }), code("conflict"));
    await assert.rejects(auth.createToken({ name: "admin", role: "reader" }), code("conflict"));
  });
});

Deno.test("authenticate() refuses a token from the time it expires", async () => {
  await withAuth(async (auth, { clock }) => {
    await auth.bootstrap();
    const { token, expires } = await auth.createToken({
      name: "guest",
      role: "reader",
      expires: "2030-01-01T01:00:00+00:00",
    });
    assert.equal(expires, "2030-01-01T01:00:00.000Z");
    clock.ms += 3_599_999;
    assert.ok(await auth.authenticate(token));
    clock.ms += 1;
    assert.equal(await auth.authenticate(token), undefined);
  });
});

Deno.test("createToken() refuses an end that is no time in the future", async () => {
  await withAuth(async (auth) => {
    for (const expires of ["yesterday", "1", "2029-12-31", "2030-01-01T00:00:00Z", "2030-13-01"]) {
      const made = auth.createToken({ name: "x", role: "reader", expires });
      await assert.rejects(made, code("bad_request"), expires);
    }
  });
});

Deno.test("revokeToken() ends a token at once and says not_found for an unknown one", async () => {
  await withAuth(async (auth) => {
    const { token, id } = await auth.createToken({ name: "x", role: "editor" });
    assert.ok(await auth.authenticate(token));
    await auth.revokeToken(id);
    assert.equal(await auth.authenticate(token), undefined);
    await assert.rejects(auth.revokeToken(id), code("not_found"));
  });
});

Deno.test("authenticate() notes the last use, at most once a minute", async () => {
  await withAuth(async (auth, { clock }) => {
    const { token } = await auth.createToken({ name: "x", role: "editor" });
    const lastUsed = async () => (await auth.listTokens())[0]?.lastUsed;
    assert.equal(await lastUsed(), undefined);
    await auth.authenticate(token);
    assert.equal(await lastUsed(), "2030-01-01T00:00:00.000Z");
    clock.ms += 59_999;
    await auth.authenticate(token);
    assert.equal(await lastUsed(), "2030-01-01T00:00:00.000Z");
    clock.ms += 1;
    await auth.authenticate(token);
    assert.equal(await lastUsed(), "2030-01-01T00:01:00.000Z");
  });
});

Deno.test("redeemTicket() answers once with the actor that the ticket was issued to", async () => {
  await withAuth(async (auth) => {
    const actor = { user: "user_1", role: "reader" } as const;
    const ticket = auth.issueTicket(actor);
    assert.deepEqual(auth.redeemTicket(ticket), actor);
    assert.equal(auth.redeemTicket(ticket), undefined);
    assert.equal(await auth.authenticate(ticket), undefined);
  });
});
