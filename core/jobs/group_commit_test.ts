import assert from "node:assert/strict";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import { createGroupCommit } from "./group_commit.ts";
import { MIGRATIONS } from "./testing.ts";

const open = () => openSqlite(":memory:", { migrationsDir: MIGRATIONS });

function counting(sql: SqlStore): SqlStore & { transactions: number } {
  const counted = {
    ...sql,
    transactions: 0,
    transaction: <T>(work: (tx: Tx) => Promise<T>) => {
      counted.transactions++;
      return sql.transaction(work);
    },
  };
  return counted;
}

const add = (name: string) => async (tx: Tx) => {
  await tx.insertInto("user").values({ id: name, name, role: "reader", created: "now" }).execute();
  return name;
};
const names = async (sql: SqlStore) =>
  (await sql.db.selectFrom("user").select("name").orderBy("name").execute()).map(({ name }) =>
    name
  );

Deno.test("submit() commits what comes together in one transaction", async () => {
  await using sql = await open();
  const counted = counting(sql);
  const commit = createGroupCommit(counted, { budgetMs: 10_000 });
  const done = await Promise.all(Array.from({ length: 50 }, (_, i) => commit.submit(add(`u${i}`))));
  assert.equal(done[49], "u49");
  assert.equal(counted.transactions, 1);
  assert.equal((await names(sql)).length, 50);
});

Deno.test("submit() fails only the operation that throws", async () => {
  await using sql = await open();
  const commit = createGroupCommit(sql);
  const effects: string[] = [];
  const results = await Promise.allSettled([
    commit.submit(async (tx, after) => {
      after(() => effects.push("a"));
      return await add("a")(tx);
    }),
    commit.submit(async (tx, after) => {
      after(() => effects.push("never"));
      await add("b")(tx);
      throw new Error("no");
    }),
    commit.submit(add("a")),
    commit.submit(add("c")),
  ]);
  assert.deepEqual(results.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "rejected",
    "fulfilled",
  ]);
  assert.deepEqual(await names(sql), ["a", "c"]);
  assert.deepEqual(effects, ["a"]);
});

Deno.test("submit() runs ends first, the claim last, and calls effects in that order", async () => {
  await using sql = await open();
  const commit = createGroupCommit(sql);
  const order: string[] = [];
  const note = (name: string) => async (_: Tx, after: (run: () => void) => void) => {
    order.push(name);
    after(() => order.push(`after ${name}`));
  };
  await Promise.all([
    commit.submit(note("claim"), { lane: "claim" }),
    commit.submit(note("change")),
    commit.submit(note("end"), { lane: "end" }),
  ]);
  assert.deepEqual(order, ["end", "change", "claim", "after end", "after change", "after claim"]);
});

Deno.test("submit() gives one that wants to be alone a transaction of its own", async () => {
  await using sql = await open();
  const counted = counting(sql);
  const commit = createGroupCommit(counted, { budgetMs: 10_000 });
  await Promise.all([
    commit.submit(add("a"), { lane: "end" }),
    commit.submit(add("b"), { lane: "end", alone: true }),
    commit.submit(add("c"), { lane: "end" }),
  ]);
  assert.equal(counted.transactions, 3);
  assert.deepEqual(await names(sql), ["a", "b", "c"]);
});

Deno.test("submit() lets the claim come along with one that wants to be alone", async () => {
  await using sql = await open();
  const counted = counting(sql);
  const commit = createGroupCommit(counted, { budgetMs: 10_000 });
  await Promise.all([
    commit.submit(add("a"), { lane: "end", alone: true }),
    commit.submit(add("b")),
    commit.submit(add("claim"), { lane: "claim" }),
  ]);
  assert.equal(counted.transactions, 2);
});

Deno.test("submit() rejects what waits when no transaction can begin, and goes on after that", async () => {
  await using sql = await open();
  let broken = true;
  const commit = createGroupCommit({
    ...sql,
    transaction: (work) =>
      broken ? Promise.reject(new Error("cannot begin")) : sql.transaction(work),
  });
  const results = await Promise.allSettled([
    commit.submit(add("a")),
    commit.submit(add("b"), { lane: "end", alone: true }),
    commit.submit(add("c"), { lane: "claim" }),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
  await commit.idle();
  broken = false;
  assert.equal(await commit.submit(add("d")), "d");
});

Deno.test("submit() closes a group when its time is up, and takes the claim along", async () => {
  await using sql = await open();
  const counted = counting(sql);
  const commit = createGroupCommit(counted, { budgetMs: 0 });
  const order: string[] = [];
  const note = (name: string) => async () => void order.push(name);
  await Promise.all([
    commit.submit(note("a")),
    commit.submit(note("b")),
    commit.submit(note("claim"), { lane: "claim" }),
  ]);
  assert.deepEqual(order, ["a", "claim", "b"]);
  assert.equal(counted.transactions, 2);
});

Deno.test("submit() reports an effect that throws and goes on", async () => {
  await using sql = await open();
  const reports: unknown[] = [];
  const commit = createGroupCommit(sql, { report: (error) => reports.push(error) });
  await commit.submit(async (_, after) =>
    after(() => {
      throw new Error("listener");
    })
  );
  assert.equal(reports.length, 1);
  await commit.idle();
});
