import assert from "node:assert/strict";
import { createRedactor } from "./redact.ts";

Deno.test("createRedactor() takes a secret out in each of its usual spellings", () => {
  const redactor = createRedactor();
  const secret = 'p@ss "word"/1';
  assert.equal(redactor.text(secret), secret, "nothing is secret yet");
  redactor.add([secret]);
  for (
    const text of [
      secret,
      encodeURIComponent(secret),
      JSON.stringify({ secret }),
      btoa(secret),
      `https://api.example/?key=${encodeURIComponent(secret)}&x=1`,
    ]
  ) {
    const clean = redactor.text(text);
    assert.match(clean, /\[secret\]/, text);
    assert.ok(!clean.includes("word"), clean);
  }
  assert.equal(redactor.text("harmless"), "harmless");
});

Deno.test("createRedactor() reaches texts, keys and bytes at any depth, and leaves the rest as it is", () => {
  const redactor = createRedactor();
  redactor.add(["hunter22"]);
  const bytes = new TextEncoder().encode("a hunter22 and hunter22");
  const clean = redactor.value({
    list: ["hunter22", 1, null, { hunter22: true }],
    bytes,
    view: new Uint8Array(new TextEncoder().encode("xxhunter22").buffer, 2),
  });
  assert.deepEqual(clean.list, ["[secret]", 1, null, { "[secret]": true }]);
  assert.equal(new TextDecoder().decode(clean.bytes), "a ******** and ********");
  assert.equal(new TextDecoder().decode(clean.view), "********");
});

Deno.test("createRedactor() knows no secret that is too short to be told from other text", () => {
  const redactor = createRedactor();
  redactor.add(["", "abc"]);
  assert.equal(redactor.text("abcdef"), "abcdef");
});
