import assert from "node:assert/strict";
import type { Plugin } from "../plugins/plugins.ts";
import { stageDigest } from "./stage_digest.ts";

const digestOf = (code: string, config: Record<string, unknown>) =>
  stageDigest({ bundleDigest: async () => code, get: () => ({ config }) as Plugin }, "import.x");

Deno.test("stageDigest() changes with the code and with the settings, and with nothing else", async () => {
  const one = await digestOf("a", { timeout: 10 });
  assert.equal(await digestOf("a", { timeout: 10 }), one);
  assert.notEqual(await digestOf("b", { timeout: 10 }), one);
  assert.notEqual(await digestOf("a", { timeout: 20 }), one);
});
