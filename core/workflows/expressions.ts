/**
 * Evaluates expressions away from the host: in a runner of the built-in plugin `step.expression`, which holds no
 * grant, and which a limit of time and memory ends. `evaluate.ts` makes it.
 */
import type { Template } from "./definition.ts";

/** What an expression sees. Plain JSON. */
export interface Scope {
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Results by id. */
  readonly steps: Readonly<Record<string, unknown>>;
  readonly item?: unknown;
  readonly index?: number | undefined;
  readonly event?: unknown;
  readonly run: Readonly<Record<string, unknown>>;
}

export interface Resolved {
  readonly template: Template;
  readonly scope: Scope;
}

export interface Expressions {
  /**
   * The values of templates, in order. Templates without an expression cost no runner. Throws `invalid_expression`
   * with the expression and why, `timed_out` or `out_of_memory` for one that does not end, `too_large` for a value
   * above `WORKFLOW_LIMITS.json_bytes`.
   */
  resolve(asked: readonly Resolved[], signal?: AbortSignal): Promise<unknown[]>;
}
