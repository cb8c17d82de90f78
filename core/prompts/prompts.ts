/**
 * Prompts: a job's stage failed for want of a permission that its plugin declares and was not granted. The job
 * waits; a yes runs the stage again in a new runner, a no or silence ends the job.
 *
 * The question itself is a consent of kind `request`, and has its id: whoever decides the one decides the other.
 */
import type { RunnerUses } from "../../sandbox/types.ts";
import type { Job } from "../jobs/job.ts";
import type { GrantRequest, PermissionRequest } from "../plugins/plugins.ts";

export interface Prompt {
  readonly id: string;
  readonly job: string;
  readonly plugin: string;
  readonly name: string;
  readonly permissions: readonly PermissionRequest[];
  /** ISO 8601 */
  readonly asked: string;
  /** When silence counts as no. ISO 8601 */
  readonly expires: string;
}

/** A stage that failed, with what its runner asked for. */
export interface FailedStage {
  readonly job: Pick<Job, "id">;
  readonly plugin: string;
  readonly error: unknown;
  readonly uses: RunnerUses;
}

export interface Prompts extends AsyncDisposable {
  /** Takes up what waited when the host ended. */
  start(): Promise<void>;
  /**
   * What the stage must throw: `JobWaits` when a person has to be asked, `denied` when that was done too often;
   * else the error that it had, with what was refused beside it. The guest's word alone asks nobody: what it
   * was refused stands in the record of its process, or was refused by the host itself.
   */
  examine(failed: FailedStage): Promise<unknown>;
  /** The oldest first. */
  list(): readonly Prompt[];
  /** Throws `not_found`. */
  get(id: string): Prompt;
  /** Grants what is named and denies the rest; undefined: all of it. Throws `not_found`, `bad_request`. */
  decide(
    id: string,
    grants: readonly (string | GrantRequest)[] | undefined,
    by: string,
  ): Promise<void>;
}

/** How often one job asks. */
export const MAX_PROMPTS = 5;
