import type { Kysely } from "kysely";
import type { Actor } from "../auth/actor.ts";
import { actorOfUser } from "../auth/actor_of_user.ts";
import type { Job } from "../jobs/job.ts";
import type { Database } from "../stores/sql.ts";

/**
 * As whom a job works: its user, with the role that he has by now. What only an admin may do no job does; for one who
 * is gone it reads.
 */
export async function actorOfJob(
  db: Kysely<Database>,
  { user }: Pick<Job, "user">,
): Promise<Actor> {
  const actor = await actorOfUser(db, user);
  return { user, role: actor?.role === "admin" ? "editor" : actor?.role ?? "reader" };
}
