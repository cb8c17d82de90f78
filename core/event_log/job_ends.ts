/** The ends of jobs as events: of those that somebody asked for, not of the parts of a larger one. */
import type { Tx } from "../stores/sql.ts";
import type { Job, JobKind } from "../jobs/job.ts";
import type { EventLog } from "./event_log.ts";

const TOLD: readonly JobKind[] = ["import", "export", "run"];
/** Characters of JSON. */
const MOST_RESULT = 4_000;

/** To be called with each job that has ended, in the transaction that ended it. */
export function logJobEnds(
  log: Pick<EventLog, "append">,
): (tx: Tx, job: Job) => Promise<void> {
  return async (tx, job) => {
    if (job.parent !== undefined || !TOLD.includes(job.kind)) return;
    await log.append(tx, {
      name: `job.${job.status}`,
      subject: job.id,
      payload: {
        kind: job.kind,
        ...(job.plugin === undefined ? {} : { plugin: job.plugin }),
        ...workflowOf(job),
        ...resultOf(job),
        ...(job.status !== "failed" || job.error === undefined
          ? {}
          : { error: { code: job.error.code, message: job.error.message.slice(0, 1_000) } }),
      },
      user: job.user,
    });
  };
}

function workflowOf({ kind, input }: Job): { workflow?: string } {
  const { workflow } = (kind === "run" ? input ?? {} : {}) as { workflow?: unknown };
  return typeof workflow === "string" ? { workflow } : {};
}

/** What came of it, unless that is long: then whoever wants it asks for the job. */
function resultOf({ status, result }: Job): { result?: unknown } {
  if (status !== "completed" || result === undefined || result === null) return {};
  return JSON.stringify(result).length > MOST_RESULT ? {} : { result };
}
