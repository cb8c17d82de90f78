/** The API's types, gathered for the command line: types only, so that no schema is loaded at start. */
import type { JobJson } from "../http/schemas.ts";

export type {
  ArtifactJson,
  AttributionJson,
  AuditRowJson,
  AvailableJson,
  ConsentJson,
  ContentJson,
  CreatedTokenJson,
  GenealogyJson,
  JobEventJson,
  JobJson,
  ObservedJson,
  PluginJson,
  PluginVersionJson,
  ProblemJson,
  SearchAnswerJson,
  TokenJson,
  VerificationJson,
} from "../http/schemas.ts";

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
