import assert from "node:assert/strict";
import { withWorld, yaml } from "../plugins/testing.ts";
import { askScheduler } from "./scheduler_plugin.ts";

Deno.test("askScheduler() asks the plugin in its own runner, and no other kind of plugin", async () => {
  await withWorld(async ({ plugin, plugins, pool }) => {
    const folder = await plugin(
      "moon",
      yaml("scheduler.moon"),
      `import { definePlugin } from "@carrel/sdk";
export default definePlugin.scheduler({
  next(after, { days }) {
    if (days === 0) return null;
    if (days === undefined) return 7;
    return new Date(Date.parse(after) + days * 86_400_000).toISOString();
  },
});
`,
    );
    const { consent } = await plugins.install(folder);
    if (consent !== undefined) await plugins.decide(consent.id, []);
    const ask = askScheduler({ plugins, pool }, new AbortController().signal);
    const next = (parameters: Record<string, unknown>, id = "scheduler.moon") =>
      ask(id, "2026-01-01T00:00:00.000Z", parameters);
    assert.equal(await next({ days: 29 }), "2026-01-30T00:00:00.000Z");
    assert.equal(await next({ days: 0 }), null);
    await assert.rejects(next({}), { code: "invalid_output" });
    await assert.rejects(next({}, "import.web"), { code: "no_plugin" });
    await assert.rejects(next({}, "scheduler.sun"), { code: "no_plugin" });
    await plugins.setEnabled("scheduler.moon", false);
    await assert.rejects(next({}), { code: "conflict" });
  });
});
