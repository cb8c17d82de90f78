/** Every statement that runs often finds its rows by an index, however many jobs there are. */
import assert from "node:assert/strict";
import { nextDue, promoteDue } from "./care_store.ts";
import { claim } from "./claim.ts";
import { hasHappened, noteChildEnd } from "./family.ts";
import { noop, openWorkshop, plansOf } from "./testing.ts";

Deno.test("promoteDue() and nextDue() read the indexes of what falls due and what wakes", async () => {
  await using shop = await openWorkshop();
  const plans = await plansOf(shop, async () => {
    await shop.sql.transaction((tx) => promoteDue(tx, 1, 10));
    await nextDue(shop.sql.db);
  });
  const indexes = plans.map((plan) => /USING (?:COVERING )?INDEX (job_\w+)/.exec(plan)?.[1]);
  assert.deepEqual(indexes, ["job_due", "job_wake", "job_due", "job_wake"]);
  for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
});

Deno.test("noteChildEnd() and hasHappened() look at open children only", async () => {
  await using shop = await openWorkshop();
  const { jobs } = shop.engine({});
  const parent = await jobs.add(noop());
  await jobs.add(noop({ parent: parent.id }));
  await shop.sql.db.updateTable("job").set({ status: "waiting", waits_for: "children" })
    .where("id", "=", parent.id).execute();
  const plans = await plansOf(shop, () =>
    shop.sql.transaction(async (tx) => {
      assert.equal(await noteChildEnd(tx, parent.id, 1), undefined);
      assert.equal(await hasHappened(tx, parent.id, "child"), true);
    }));
  const ofChildren = plans.filter((plan) => /parent=/.test(plan));
  assert.equal(ofChildren.length, 1);
  assert.match(ofChildren[0]!, /INDEX job_open_child/);
  for (const plan of plans) assert.doesNotMatch(plan, /SCAN/);
});

Deno.test("claim() reads the ready jobs in order, without sorting", async () => {
  await using shop = await openWorkshop();
  const none = { kind: [], plugin: [], site: [] };
  const options = { owner: "o", nowMs: 1, leaseMs: 1, limit: 1, fromRank: -Infinity };
  const plans = await plansOf(shop, () =>
    shop.sql.transaction(async (tx) => {
      await claim(tx, { ...options, saturated: none, urgent: false });
      await claim(tx, { ...options, saturated: { ...none, plugin: ["x"] }, urgent: true });
    }));
  assert.match(plans[0]!, /INDEX job_ready/);
  assert.match(plans[1]!, /INDEX job_(urgent|ready)/);
  for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
});
