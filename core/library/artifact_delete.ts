/** Deletes artifacts: softly (hidden, files kept), or so that their files go and a tombstone stays in the lineage. */
import { sql } from "kysely";
import { CarrelError } from "../errors.ts";
import { END_STATUSES } from "../jobs/job.ts";
import { partNode } from "../provenance/lineage.ts";
import type { Tx } from "../stores/sql.ts";
import type { ArtifactLog } from "./artifact_changes.ts";
import { toArtifact } from "./artifact_rows.ts";

const DELETED = "(deleted)";

export interface DeleteOptions {
  readonly user: string;
  readonly log: ArtifactLog;
}

/**
 * Answers with the digests of the blobs that it referred to, for the caller to sweep: none after a soft deletion.
 * Throws `not_found`, and `conflict` while its run needs it.
 */
export async function deleteArtifact(
  tx: Tx,
  id: string,
  { hard, ...options }: DeleteOptions & { readonly hard: boolean },
): Promise<readonly string[]> {
  const row = await tx.selectFrom("artifact").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined || (row.state === "deleted" && !hard)) {
    throw new CarrelError("not_found", `Cannot delete artifact "${id}": there is none of this id`);
  }
  const { state, run } = toArtifact(row);
  const making = state === "placeholder" || state === "generating";
  if (run !== undefined && (hard || making) && await isOpen(tx, run)) {
    throw new CarrelError(
      "conflict",
      `Cannot delete artifact "${id}": the run "${run}" has not ended; cancel it first`,
      { details: { run } },
    );
  }
  if (!hard) {
    await tx.updateTable("artifact").set({ state: "deleted", updated: new Date().toISOString() })
      .where("id", "=", id).execute();
    await tell(tx, id, options, { hard });
    return [];
  }
  const freed = await dropArtifact(tx, id, options);
  await redactCalls(tx, id);
  await tx.deleteFrom("artifact_event").where("artifact_id", "=", id).execute();
  await tx.deleteFrom("artifact").where("id", "=", id).execute();
  return freed;
}

/** Lets go of its files; its row says that it was deleted, and so does its place in the lineage. */
export async function dropArtifact(
  tx: Tx,
  id: string,
  options: DeleteOptions,
): Promise<readonly string[]> {
  const row = await tx.selectFrom("artifact").selectAll().where("id", "=", id)
    .executeTakeFirstOrThrow();
  const { files, type, state } = toArtifact(row);
  const now = new Date().toISOString();
  await tx.updateTable("artifact")
    .set({ state: "deleted", files_json: "[]", size: 0, updated: now })
    .where("id", "=", id).execute();
  await tx.updateTable("lineage_node").set({
    type: "Tombstone",
    label: DELETED,
    properties_json: JSON.stringify({ deleted: now, digest: files[0]?.digest, format: type }),
  }).where("id", "=", id).execute();
  if (state !== "deleted") await tell(tx, id, options, { hard: true });
  return [...new Set(files.map(({ digest }) => digest))];
}

async function tell(
  tx: Tx,
  id: string,
  { user, log }: DeleteOptions,
  { hard }: { readonly hard: boolean },
): Promise<void> {
  await log?.append(tx, {
    name: "artifact.deleted",
    subject: id,
    payload: { artifact: id, hard },
    user,
  });
}

/**
 * Calls that name it in what they were given. Looked for where such a call can stand, never among all jobs: in the
 * run that made it and its forks, in the runs that were given it or made something of it, and outside of runs.
 */
async function callsNear(tx: Tx, id: string): Promise<string[]> {
  const named = `%"${id}"%`;
  const { rows } = await sql<{ id: string }>`
    with recursive near (id) as (
      select run_id from artifact where id = ${id} and run_id is not null
      union select made.run_id from lineage_edge
        join artifact as made on made.id = lineage_edge.from_id
        where lineage_edge.to_id = ${id} and made.run_id is not null
      union select id from workflow_run where inputs_json like ${named}
      union select workflow_run.id from near join workflow_run on workflow_run.forked_from = near.id
    )
    select job.id from near join job on job.parent = near.id
      where job.kind = 'call' and job.input_json like ${named}
    union
    select id from job
      where kind = 'call' and parent is null and input_json like ${named}`.execute(tx);
  return rows.map((row) => row.id);
}

async function isOpen(tx: Tx, run: string): Promise<boolean> {
  const row = await tx.selectFrom("job").select("id").where("id", "=", run)
    .where("status", "not in", END_STATUSES).executeTakeFirst();
  return row !== undefined;
}

/** What the calls that made it, wrote it or read it keep of its text, but those of runs that have not ended. */
async function redactCalls(tx: Tx, id: string): Promise<void> {
  const edges = await tx.selectFrom("lineage_edge").select("to_id").distinct()
    .where("type", "=", "RAN_AS")
    .where("from_id", ">", partNode(id, "")).where("from_id", "<", `${id}$`).execute();
  const made = new Set(edges.map((edge) => edge.to_id));
  const asked = await callsNear(tx, id);
  const calls = await tx.selectFrom("job").select(["id", "parent"])
    .where("kind", "=", "call").where("status", "in", END_STATUSES)
    .where("id", "in", ["", ...made, ...asked]).execute();
  for (const { id: job, parent } of calls) {
    if (parent !== null && await isOpen(tx, parent)) continue;
    await tx.updateTable("job").set({
      input_json: JSON.stringify({ capability: DELETED, deleted: id }),
      result_json: null,
      message: null,
    }).where("id", "=", job).execute();
    await tx.updateTable("job_event").set({ message: null }).where("job_id", "=", job).execute();
    await tx.updateTable("run_step").set({ input_json: null, result_json: null })
      .where("job_id", "=", job).execute();
  }
}
