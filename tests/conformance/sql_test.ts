import { openSqlite } from "../../core/stores/sqlite.ts";
import { sqlSuite } from "./sql_suite.ts";

const migrationsDir = new URL("../../migrations/sql", import.meta.url).pathname;

sqlSuite("sqlite in memory", () => openSqlite(":memory:", { migrationsDir }));

sqlSuite("sqlite in a file", async () => {
  const dir = await Deno.makeTempDir();
  const store = await openSqlite(`${dir}/carrel.db`, { migrationsDir });
  return {
    ...store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
});
