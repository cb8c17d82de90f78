/** The API's types, gathered for the command line: types only, so that no schema is loaded at start. */
import type { JobJson } from "../http/schemas.ts";
import type { LoggedEventJson } from "../http/work_schemas.ts";

export type {
  ArtifactJson,
  AttributionJson,
  AuditRowJson,
  AvailableJson,
  ConsentJson,
  ContentJson,
  CreatedTokenJson,
  GenealogyJson,
  JobDetailJson,
  JobEventJson,
  JobJson,
  JobLogJson,
  ObservedJson,
  PluginJson,
  PluginVersionJson,
  ProblemJson,
  PrunedJson,
  RetriedAllJson,
  RetryAllRequestJson,
  SearchAnswerJson,
  TokenJson,
  VerificationJson,
} from "../http/schemas.ts";
export type {
  DefinitionProblemJson,
  PlanJson,
  QuestionJson,
  RunEventJson,
  RunHeadJson,
  RunJson,
  StepHeadJson,
  StepJson,
  WorkflowDetailJson,
  WorkflowJson,
} from "../http/run_schemas.ts";

export type {
  LoggedEventJson,
  NewScheduleJson,
  ScheduleChangeJson,
  ScheduleJson,
} from "../http/work_schemas.ts";

/** `after`: the number to go on from. */
export interface EventPageJson {
  readonly items: readonly LoggedEventJson[];
  readonly after: number;
}

/** The answer 202: `job` is the first of `jobs`. */
export interface AcceptedJson {
  readonly job: JobJson;
  readonly jobs: readonly JobJson[];
}

/** One page of a list; `cursor` asks for the next. */
export interface PageJson<T> {
  readonly items: readonly T[];
  readonly cursor: string | null;
}

/** Whether nothing follows this status. */
export function hasEnded(status: JobJson["status"]): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
