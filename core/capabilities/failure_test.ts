import assert from "node:assert/strict";
import { sentenceOf } from "./failure.ts";

Deno.test("sentenceOf() says in plain words what was not granted, without flags of the runtime", () => {
  const cases = [
    [
      'Cannot ask: Requires net access to "api.example:443", run again with the --allow-net flag',
      'Cannot ask: net access to "api.example:443" is not granted to it',
    ],
    [
      "Requires env access, run again with the --allow-env flag.",
      "env access is not granted to it.",
    ],
    ["Cannot ask: too many.", "Cannot ask: too many."],
  ] as const;
  for (const [said, plain] of cases) assert.equal(sentenceOf(new Error(said)), plain);
  assert.equal(sentenceOf("x".repeat(600)).length, 501);
});

Deno.test("sentenceOf() understands what the runtime says itself", async () => {
  const { state } = await Deno.permissions.query({ name: "net", host: "carrel.invalid:443" });
  if (state === "granted") return;
  await assert.rejects(
    Deno.connect({ hostname: "carrel.invalid", port: 443 }),
    (error) => /^net access to "carrel\.invalid:443" is not granted to it/.test(sentenceOf(error)),
  );
});
