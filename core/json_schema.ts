/** Checks a value against a JSON Schema that a manifest carries. */
import { Ajv } from "ajv";
import { CarrelError, type ErrorCode } from "./errors.ts";

/**
 * The value with the schema's defaults filled in. Throws `CarrelError` with `code`; the message names each
 * field that is wrong.
 */
export function checkAgainst(
  schema: Readonly<Record<string, unknown>>,
  value: Readonly<Record<string, unknown>>,
  code: ErrorCode,
  what: string,
): Record<string, unknown> {
  const checked = structuredClone(value) as Record<string, unknown>;
  // One for each call: it keeps every schema that it has ever compiled.
  const ajv = new Ajv({ allErrors: true, strict: false, useDefaults: true });
  const validate = ajv.compile({ type: "object", ...schema });
  if (validate(checked)) return checked;
  const errors = (validate.errors ?? []).map((error) => ({
    field: error.instancePath.slice(1).replaceAll("/", ".") ||
      String(error.params["additionalProperty"] ?? error.params["missingProperty"] ?? "value"),
    problem: error.message ?? "is wrong",
  }));
  throw new CarrelError(
    code,
    `Cannot use ${what}: ${errors.map((e) => `${e.field} ${e.problem}`).join("; ")}`,
    { details: { errors } },
  );
}
