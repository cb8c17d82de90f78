/** Tables of work beside the jobs: logs, schedules, events, runs of workflows. As in `sql.ts`. */
import type { Generated } from "kysely";

/** What a reader's app says of an artifact; once a user and event. */
export interface ArtifactEventTable {
  artifact_id: string;
  user_id: string;
  /** `opened`, `read`, `shared`. */
  event: string;
  time: string;
}

/** What was said while a job ran, bounded. */
export interface JobLogTable {
  job_id: string;
  seq: number;
  time: string;
  level: string;
  message: string;
}

export interface ScheduleTable {
  id: string;
  name: string;
  /** Of the two that follow: `schedules/stored.ts`. */
  format: Generated<number>;
  /** `ScheduleSpec` */
  spec_json: string;
  /** `ScheduledWork` */
  work_json: string;
  /** 0 or 1 */
  enabled: number;
  /** When it is due; null for one that is over. */
  next_ms: number | null;
  last_ms: number | null;
  last_job: string | null;
  error: string | null;
  /** `skip`: nothing is begun while the last job has not ended; `allow`. */
  overlap: Generated<string>;
  user_id: string;
  created: string;
}

/** What happened, for hooks, feeds and waiting runs; appended in the transaction of the thing itself. */
export interface EventTable {
  seq: Generated<number>;
  /** `noun.verb` */
  name: string;
  /** The id of what it happened to. */
  subject: string | null;
  payload_json: string;
  user_id: string;
  time: string;
}

/** How far a durable reader of events has come. */
export interface EventCursorTable {
  reader: string;
  seq: number;
}

export interface WorkflowRunTable {
  /** The id of the run's job. */
  id: string;
  workflow: string;
  /** SHA-256 of `definition_json`, hex. */
  digest: string;
  /** The definition that the run keeps to, whatever becomes of the file. */
  definition_json: string;
  /** How `definition_json` is written. */
  format: Generated<number>;
  inputs_json: string;
  /** Goes up with every change of its steps: what was read under another one counts no more. */
  version: Generated<number>;
  /** When the time of the whole run is up. */
  until_ms: number | null;
  /** The step that the retry begins with that is asked for in this very transaction. */
  retry_from: string | null;
  /** Of `ensure`: one run at a time has it. */
  ensure_key: string | null;
  forked_from: string | null;
  user_id: string;
  created: string;
}

/** The journal of a run: a row for each step that was begun. */
export interface RunStepTable {
  run_id: string;
  /** `translate[3].generate` */
  path: string;
  kind: string;
  /** `running waiting completed failed skipped cancelled`, or `pending`: to be begun again by a retry */
  state: string;
  /** 1, 2, …: how often it was begun. */
  number: Generated<number>;
  job_id: string | null;
  /** What the step was given, resolved. */
  input_json: string | null;
  result_json: string | null;
  error_json: string | null;
  /** The event that it waits for, and the last one that was looked at. */
  wait_event: string | null;
  wait_seq: number | null;
  wake_ms: number | null;
  started: string;
  ended: string | null;
}
