/** Reading problem documents in tests. */
import assert from "node:assert/strict";
import { type ProblemJson, problemSchema } from "../schemas.ts";

/** The problem of an answer, valid under its schema. */
export async function problemOf(response: Response): Promise<ProblemJson> {
  assert.equal(response.headers.get("content-type"), "application/problem+json");
  const problem = problemSchema.parse(await response.json());
  assert.equal(problem.status, response.status);
  return problem as ProblemJson;
}
