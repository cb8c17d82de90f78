/** What becomes of the artifacts of a run that ends: those that are not ready never will be. */
import type { Job } from "../jobs/job.ts";
import type { Tx } from "../stores/sql.ts";
import { type ArtifactLog, changed } from "./artifact_changes.ts";

/** To be called with each job that has ended, in the transaction that ended it. */
export function failUnfinished(log: ArtifactLog): (tx: Tx, job: Job) => Promise<void> {
  return async (tx, job) => {
    if (job.kind !== "run") return;
    const rows = await tx.updateTable("artifact")
      .set({ state: "failed", updated: new Date().toISOString() })
      .where("run_id", "=", job.id).where("state", "in", ["placeholder", "generating"])
      .returning(["id", "type"]).execute();
    for (const { id, type } of rows) {
      await changed(tx, { id, type, run: job.id }, { log, job }, { state: "failed" });
    }
  };
}
