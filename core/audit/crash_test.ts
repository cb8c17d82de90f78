import assert from "node:assert/strict";
import { createAudit } from "./create_audit.ts";
import { openAuditDesk } from "./testing.ts";

/** A host that writes as fast as it can, until it is killed. */
const WRITER = `
import { createAudit } from "${new URL("./create_audit.ts", import.meta.url)}";
import { auditFiles } from "${new URL("./files.ts", import.meta.url)}";
import { openSqlite } from "${new URL("../stores/sqlite.ts", import.meta.url)}";
const [dir, migrationsDir] = Deno.args;
const store = await openSqlite(dir + "/library.db", { migrationsDir });
const audit = await createAudit({ store, files: auditFiles(dir) });
for (let index = 0; ; index++) {
  audit.append({ event: "runner.started", job: "job_" + index });
  await store.transaction((tx) => audit.appendIn(tx, { event: "consent.granted" }));
  if (index % 3 === 0) await audit.flush();
  if (index === 20) console.log("under way");
}
`;

Deno.test("the audit is whole after its host was killed, and never reads as tampered with", async () => {
  await using desk = await openAuditDesk();
  const script = `${desk.dir}/writer.ts`;
  await Deno.writeTextFile(script, WRITER);
  let rows = 0;
  for (let round = 0; round < 4; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "-A",
        "--config",
        new URL("../../deno.json", import.meta.url).pathname,
        script,
        desk.dir,
        new URL("../../migrations/sql", import.meta.url).pathname,
      ],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /under way/);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();

    const { store, files } = desk;
    await using audit = await createAudit({ store, files });
    const result = await audit.verify();
    assert.deepEqual(result.problems, [], `round ${round}`);
    assert.ok(result.rows > rows, `${result.rows} rows`);
    assert.equal(result.unvouched, 0);
    rows = result.rows;
  }
});
