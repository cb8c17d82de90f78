import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import { toJobError } from "./job_error.ts";

const quiet = () => {};
const sandboxError = (fields: object) =>
  Object.assign(new Error("Cannot read the file: it is encrypted"), {
    name: "SandboxError",
    ...fields,
  });

Deno.test("toJobError() keeps code, details and retryable of a CarrelError", () => {
  const thrown = new CarrelError("too_large", "Cannot", { retryable: true, details: { size: 3 } });
  assert.deepEqual(toJobError(thrown, quiet), {
    code: "too_large",
    message: "Cannot",
    retryable: true,
    details: { size: 3 },
  });
});

Deno.test("toJobError() keeps a plugin's code, data and log when the code is one of ours", () => {
  const thrown = sandboxError({
    code: "encrypted",
    retryable: false,
    data: { pages: 2 },
    logTail: [{ time: "t", level: "warn", stream: "log", message: "hm" }, "bare"],
  });
  assert.deepEqual(toJobError(thrown, quiet), {
    code: "encrypted",
    message: "Cannot read the file: it is encrypted",
    retryable: false,
    details: { pages: 2 },
    log: ["t warn hm", "bare"],
  });
});

Deno.test("toJobError() says plugin_error when a plugin's code or fields are odd", () => {
  for (const code of ["made_up", 7, undefined, "toString"]) {
    const error = toJobError(sandboxError({ code, data: null, retryable: "yes" }), quiet);
    assert.equal(error.code, "plugin_error");
    assert.equal(error.retryable, false);
    assert.equal(error.details, undefined);
  }
});

Deno.test("toJobError() reports anything else and calls it internal", () => {
  const reported: unknown[] = [];
  const thrown = new TypeError("x is not a function");
  const error = toJobError(thrown, (seen) => reported.push(seen));
  assert.deepEqual(error, { code: "internal", message: thrown.message, retryable: false });
  assert.deepEqual(reported, [thrown]);
  assert.equal(toJobError("text", quiet).message, "text");
  assert.equal(toJobError(new Error(""), quiet).message, "Cannot finish the job");
});
