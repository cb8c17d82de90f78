import assert from "node:assert/strict";
import { HTTPException } from "hono/http-exception";
import { PluginError } from "../../sdk/errors.ts";
import { SandboxError } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import { problemResponse, toCarrelError } from "./problem.ts";

Deno.test("toCarrelError() keeps what a user may see and hides the rest", () => {
  const cases: [unknown, string, boolean][] = [
    [new CarrelError("gone", "It is gone."), "gone", true],
    [new PluginError("encrypted", "It is encrypted."), "encrypted", true],
    [new PluginError("http_error", "404", { data: { status: 404 } }), "http_error", true],
    [new SandboxError("out_of_memory", "Too much.", false), "out_of_memory", true],
    [new SandboxError("own_word_of_a_plugin", "Strange.", false), "plugin_error", true],
    [new HTTPException(400, { message: "Malformed" }), "bad_request", true],
    [new HTTPException(415), "unsupported_media_type", true],
    [new HTTPException(500, { message: "secret" }), "internal", false],
    [new Error("secret"), "internal", false],
    [Object.assign(new Error("secret"), { code: "ENOSPC" }), "storage_full", true],
    ["secret", "internal", false],
    [undefined, "internal", false],
  ];
  for (const [thrown, code, expected] of cases) {
    const found = toCarrelError(thrown);
    assert.deepEqual([found.error.code, found.expected], [code, expected]);
    assert.ok(!found.error.message.includes("secret"));
  }
});

Deno.test("problemResponse() writes a problem document and never the cause", async () => {
  const error = new CarrelError("too_large", "Cannot take it.", {
    cause: new Error("secret"),
    details: { max_bytes: 5 },
  });
  const response = problemResponse(error, "4f5b6a3e-0000-4000-8000-000000000000");
  assert.equal(response.status, 413);
  assert.deepEqual(await response.json(), {
    type: "urn:carrel:problem:too_large",
    title: "Too large",
    status: 413,
    code: "too_large",
    detail: "Cannot take it.",
    instance: "urn:uuid:4f5b6a3e-0000-4000-8000-000000000000",
    details: { max_bytes: 5 },
  });
});
