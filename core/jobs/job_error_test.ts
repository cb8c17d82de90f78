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

Deno.test("toJobError() keeps of a plugin's data what is plain and fits, and says how much it left out", () => {
  const data = {
    page: 7,
    junk: "y".repeat(50_000_000),
    bytes: new Uint8Array(1_000_000),
    odd: [NaN],
    note: "a\0b",
  };
  const error = toJobError(sandboxError({ code: "damaged", data }), quiet);
  assert.deepEqual(error.details, { page: 7, note: "a\ufffdb", left_out: 3 });

  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`field ${i}`, i]));
  const bounded = toJobError(sandboxError({ code: "damaged", data: many }), quiet).details!;
  assert.ok(JSON.stringify(bounded).length < 9_000);
  assert.equal(Object.keys(bounded).length - 1 + Number(bounded["left_out"]), 5_000);
  const ours = new CarrelError("too_large", "Cannot", { details: { list: "y".repeat(9_000) } });
  assert.deepEqual(toJobError(ours, quiet).details, { left_out: 1 });
});

Deno.test("toJobError() bounds message and log", () => {
  const logTail = Array.from({ length: 50 }, (_, i) => `${i} ${"l".repeat(8_000)}`);
  const error = toJobError(
    Object.assign(sandboxError({ code: "damaged", logTail }), { message: "m\0".repeat(5_000) }),
    quiet,
  );
  assert.ok(error.message.length <= 2_000 && error.message.endsWith("…"));
  assert.ok(!error.message.includes("\0"));
  assert.ok(error.log!.join("").length <= 16_000);
  assert.match(error.log!.at(-1)!, /^49 /);
});
