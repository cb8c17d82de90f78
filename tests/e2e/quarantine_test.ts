/** A plugin that crashes as it is loaded: set aside, its jobs held over restarts and in safe mode, the host unharmed. */
import assert from "node:assert/strict";
import { type Json, startTestHost, type TestHost, until } from "./host.ts";

const ID = "import.letter";

/** Loads well while a file is not there, and takes its runner down when it is. */
async function writePlugin(folder: string, fuse: string): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/carrel.yaml`,
    `id: ${ID}
version: 1.0.0
name: Letters
description: Imports letters.
entry: mod.ts
media_types: [text/x-letter]
permissions:
  read: ["${fuse}"]
`,
  );
  await Deno.writeTextFile(
    `${folder}/mod.ts`,
    `import { definePlugin } from "@carrel/sdk";
let burning = true;
try { Deno.statSync("${fuse}"); } catch { burning = false; }
if (burning) Deno.exit(9);
export default definePlugin.import({
  extract: (raw) => ({
    type: "document",
    title: "A letter",
    markdown: new TextDecoder().decode(raw.bytes),
    metadata: {},
  }),
});
`,
  );
}

async function importLetter(host: TestHost, text: string): Promise<Json> {
  const form = new FormData();
  form.append("plugin", ID);
  form.append("file", new File([text], "a.txt", { type: "text/x-letter" }));
  const answer = await host.fetch("/api/content/import", { method: "POST", body: form });
  const body = await answer.json();
  assert.ok(answer.ok, JSON.stringify(body));
  return body.job;
}

async function withCrasher(
  body: (paths: { readonly dataDir: string; readonly fuse: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-test-" });
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    const fuse = `${folder}/fuse`;
    await Deno.mkdir(`${folder}/plugin`);
    await writePlugin(`${folder}/plugin`, fuse);
    {
      await using host = await startTestHost({ dataDir });
      const { consent } = await host.post("/api/plugins/install", { url: `${folder}/plugin` });
      const { plugin } = await host.post(`/api/plugins/consents/${consent.id}`, {
        decision: "grant",
        grants: [`read:${fuse}`],
      });
      assert.deepEqual([plugin.state, plugin.error], ["enabled", null]);
    }
    await Deno.writeTextFile(fuse, "");
    await body({ dataDir, fuse });
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(dataDir, { recursive: true });
  }
}

const status = async (host: TestHost, job: { id: string }) =>
  (await host.get(`/api/jobs/${job.id}`)).status;

/** The job, once it is held. */
const held = (host: TestHost, job: { id: string }): Promise<Json> =>
  until(async () => {
    const now = await host.get(`/api/jobs/${job.id}`);
    return now.status === "waiting" ? now : undefined;
  });

async function builtinWorks(host: TestHost, text: string): Promise<void> {
  const job = await host.ended(await host.upload("note.md", `# Note\n\n${text}\n`));
  assert.equal(job.status, "completed", JSON.stringify(job.error));
}

Deno.test("a plugin that crashes as it is loaded is set aside, its jobs held over kill -9, and released by hand", () =>
  withCrasher(async ({ dataDir, fuse }) => {
    const jobs: Json[] = [];
    {
      await using host = await startTestHost({ dataDir });
      for (const n of [1, 2, 3, 4]) jobs.push(await importLetter(host, `letter ${n}`));
      for (const job of jobs) {
        const { message, error } = await held(host, job);
        assert.match(message, /^is held: .*was set aside .*carrel plugin enable import\.letter$/);
        assert.equal(error.code, "quarantined");
      }
      assert.equal((await host.get(`/api/plugins/${ID}`)).state, "quarantined");
      await builtinWorks(host, "beside it");
      await host.kill();
    }
    await using host = await startTestHost({ dataDir });
    assert.equal((await host.get(`/api/plugins/${ID}`)).state, "quarantined");
    for (const job of jobs) assert.equal(await status(host, job), "waiting");
    await Deno.remove(fuse);
    await host.post(`/api/plugins/${ID}/enable`, {});
    for (const job of jobs) {
      const done = await host.ended(job);
      assert.equal(done.status, "completed", JSON.stringify(done.error));
    }
  }));

Deno.test("serve --safe-mode starts with third-party plugins off, holds their jobs, and does all else", () =>
  withCrasher(async ({ dataDir, fuse }) => {
    let job: Json;
    {
      await using host = await startTestHost({ dataDir });
      job = await importLetter(host, "a letter");
      await until(async () => (await host.get(`/api/jobs/${job.id}`)).attempt > 0);
      await host.kill();
    }
    {
      await using host = await startTestHost({ dataDir, flags: ["--safe-mode"] });
      const plugin = await host.get(`/api/plugins/${ID}`);
      assert.deepEqual([plugin.enabled, plugin.state], [false, "disabled"]);
      assert.match(plugin.error, /safe mode/);
      const builtin = (await host.get("/api/plugins")).items.filter((one: Json) => one.builtin);
      assert.ok(builtin.length > 0 && builtin.every((one: Json) => one.enabled));
      const { message } = await held(host, job);
      assert.match(message, /safe mode.*started without --safe-mode/);
      // To enable it is noted, and changes nothing until a start without safe mode.
      await host.post(`/api/plugins/${ID}/enable`, {});
      assert.equal((await host.get(`/api/plugins/${ID}`)).enabled, false);
      // New work for it is refused at once.
      const form = new FormData();
      form.append("plugin", ID);
      form.append("file", new File(["b"], "b.txt", { type: "text/x-letter" }));
      const answer = await host.fetch("/api/content/import", { method: "POST", body: form });
      assert.equal((await answer.json()).code, "conflict");
      await builtinWorks(host, "in safe mode");
      assert.equal((await host.get("/healthz")).status, "ok");
      assert.equal(await status(host, job), "waiting");
      assert.equal(await host.stop(), true);
    }
    await Deno.remove(fuse);
    await using host = await startTestHost({ dataDir });
    assert.equal((await host.get(`/api/plugins/${ID}`)).state, "enabled");
    const done = await host.ended(job);
    assert.equal(done.status, "completed", JSON.stringify(done.error));
  }));
