import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { setup } from "../testing/carrel.ts";

Deno.test("carrel artifact lists, shows and deletes", async () => {
  await using t = await setup();
  const list = await t.carrel(["artifact", "list", "--state", "ready", "--run", "run_1"]);
  assert.match(list.out, /artifact_1 +ebook +\S+ \S+ +ready +A book/);
  assert.deepEqual(t.host.seen.at(-1)!.query, { limit: "50", run: "run_1", state: "ready" });
  assert.equal((await t.carrel(["artifact", "list", "--state", "cold"])).exit, EXIT.usage);

  const shown = await t.carrel(["artifact", "show", "artifact_1"]);
  assert.match(shown.out, /A book\n[\s\S]*state +ready; for you fully ready/);

  const hard = ["artifact", "delete", "artifact_1", "--hard"];
  const kept = await t.carrel(hard, { terminal: true, answers: ["n"] });
  assert.equal(kept.exit, EXIT.interrupted);
  assert.equal((await t.carrel(hard, { terminal: true, answers: ["y"] })).exit, EXIT.ok);
  assert.deepEqual(t.host.seen.at(-1)!.query, { hard_delete: "true" });
});
