/** What a plugin without grants can do to the host that runs it: nothing that outlives its job. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { descendants, isAlive, type Json, startTestHost, type TestHost, until } from "./host.ts";

const ROGUE = fileURLToPath(new URL("../../examples/plugins/rogue", import.meta.url));

async function installRogue(host: TestHost): Promise<void> {
  const { consent } = await host.post("/api/plugins/install", { url: ROGUE });
  await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant", grants: [] });
}

async function command(host: TestHost, text: string): Promise<Json> {
  const form = new FormData();
  form.append("plugin", "import.rogue");
  form.append("file", new File([text], "command.txt", { type: "text/plain" }));
  const response = await host.fetch("/api/content/import", { method: "POST", body: form });
  return (await response.json()).job;
}

Deno.test("a plugin that loops for ever is gone after its job is deleted", async () => {
  await using host = await startTestHost();
  await installRogue(host);
  const job = await command(host, "loop");
  await until(async () => (await host.get(`/api/jobs/${job.id}`)).stage === "extracting");
  const runners = await until(() => {
    const pids = descendants(host.pid);
    return pids.length > 1 ? pids : undefined;
  });
  assert.equal((await host.fetch(`/api/jobs/${job.id}`, { method: "DELETE" })).ok, true);
  const ended = await host.ended(job);
  assert.equal(ended.status, "cancelled");
  // The watchdog may stay; the runner may not.
  await until(() => runners.filter(isAlive).length <= 1);
  assert.equal((await host.get("/healthz")).status, "ok");
});

Deno.test("a plugin that eats memory is ended by name and the host's memory stays", async () => {
  await using host = await startTestHost();
  await installRogue(host);
  const job = await host.ended(await command(host, "memory"));
  assert.equal(job.status, "failed");
  assert.equal(job.error.code, "out_of_memory");
  assert.match(job.error.message, /MiB|MB/);
});

Deno.test("a plugin without grants reads nothing, calls nobody, sees no environment and starts no process", async () => {
  await using host = await startTestHost();
  await installRogue(host);
  for (const text of ["read /etc/passwd", `call ${host.url}/healthz`, "environment", "spawn"]) {
    const job = await host.ended(await command(host, text));
    if (job.status === "failed") {
      assert.notEqual(job.error.code, "internal", text);
      continue;
    }
    const content = await host.get(`/api/content/${job.result.content}`);
    const got = await (await host.fetch(`/api/content/${content.id}/files/extracted.txt`)).text();
    assert.doesNotMatch(got, /root:|"ok"|CARREL|HOME=/, text);
  }
});
