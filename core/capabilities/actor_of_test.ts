import assert from "node:assert/strict";
import { ROLES } from "../auth/actor.ts";
import { openWorkshop } from "../jobs/testing.ts";
import { actorOfJob } from "./actor_of.ts";

Deno.test("actorOfJob() is the job's user as he is now, and an editor at most", async () => {
  await using shop = await openWorkshop();
  const { db } = shop.sql;
  for (const role of ROLES) {
    await db.insertInto("user").values({ id: role, name: role, role, created: "" }).execute();
  }
  const roles = [];
  for (const user of [...ROLES, "gone"]) roles.push((await actorOfJob(db, { user })).role);
  assert.deepEqual(roles, ["reader", "editor", "editor", "reader"]);
});
