/** Checks a value against a JSON Schema that a manifest carries. */
import { CarrelError, type ErrorCode } from "./errors.ts";
import { boundProblem } from "./json_schema/bounds.ts";
import { schemaProblems } from "./json_schema/inspect.ts";
import { type Fault, validate } from "./json_schema/validate.ts";

/** What a value may come to, before and after the defaults. */
const VALUE_BOUNDS = { maxDepth: 16, maxChars: 256 * 1024 };

/**
 * The value with the schema's defaults filled in. Throws `CarrelError` with `code`; the message names each
 * field that is wrong, twenty at most. It takes bounded time whatever the schema and the value are.
 */
export function checkAgainst(
  schema: Readonly<Record<string, unknown>>,
  value: Readonly<Record<string, unknown>>,
  code: ErrorCode,
  what: string,
): Record<string, unknown> {
  // Seen at install already; a plugin may have been installed before there was such a check.
  const [unfit] = schemaProblems(schema);
  if (unfit !== undefined) {
    const problem = `the plugin's schema cannot be used: ${unfit.message}`;
    throw failure(code, what, [{ field: unfit.path.join("."), problem }]);
  }
  checkBounds(value, code, what);
  const checked = structuredClone(value) as Record<string, unknown>;
  const faults = validate(schema, checked);
  if (faults.length > 0) throw failure(code, what, faults);
  checkBounds(checked, code, what);
  return checked;
}

function checkBounds(value: unknown, code: ErrorCode, what: string): void {
  const problem = boundProblem(value, VALUE_BOUNDS);
  if (problem !== undefined) throw failure(code, what, [{ field: "", problem }]);
}

function failure(code: ErrorCode, what: string, faults: readonly Fault[]): CarrelError {
  const errors = faults.map(({ field, problem }) => ({ field: field || "value", problem }));
  const list = faults.map(({ field, problem }) => field === "" ? problem : `${field}: ${problem}`);
  return new CarrelError(code, `Cannot use ${what}: ${list.join("; ")}`, { details: { errors } });
}
