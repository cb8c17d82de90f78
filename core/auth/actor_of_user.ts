/** A user as somebody who does things now, with the role that he has by now. */
import type { Kysely } from "kysely";
import { prepared } from "../stores/prepared.ts";
import type { Database } from "../stores/sql.ts";
import { type Actor, ROLES } from "./actor.ts";

const roleOf = prepared<{ id: string }, { role: string }>((db, slot) =>
  db.selectFrom("user").select("role").where("id", "=", slot("id"))
);

/** Undefined for one who is gone. */
export async function actorOfUser(db: Kysely<Database>, user: string): Promise<Actor | undefined> {
  const { rows: [row] } = await roleOf(db, { id: user });
  return row && { user, role: ROLES.find((known) => known === row.role) ?? "reader" };
}
