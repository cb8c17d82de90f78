/** A permission that is missed on the way: the job waits, says so everywhere, and goes on or ends with the answer. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Json, startTestHost, type TestHost, until } from "./host.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const ID = "import.letter";

async function writePlugin(folder: string, stamps: string): Promise<void> {
  await Deno.writeTextFile(
    `${folder}/carrel.yaml`,
    `id: ${ID}
version: 1.0.0
name: Letters
description: Imports letters.
entry: mod.ts
media_types: [text/x-letter]
permissions:
  read: [{value: "${stamps}", reason: "to look at the stamps"}]
`,
  );
  await Deno.writeTextFile(
    `${folder}/mod.ts`,
    `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract: (raw) => ({
    type: "document",
    title: "A letter",
    markdown: Deno.readTextFileSync("${stamps}"),
    metadata: {},
  }),
});
`,
  );
}

/** Installs it with nothing granted. */
async function install(host: TestHost, folder: string): Promise<void> {
  const { consent } = await host.post("/api/plugins/install", { url: folder });
  await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant", grants: [] });
}

async function importLetter(host: TestHost): Promise<Json> {
  const form = new FormData();
  form.append("plugin", ID);
  form.append(
    "file",
    new File([`letter ${crypto.randomUUID()}`], "a.txt", { type: "text/x-letter" }),
  );
  const answer = await host.fetch("/api/content/import", { method: "POST", body: form });
  return (await answer.json()).job;
}

/** Reads the job's events until it waits, and gives that one. */
async function waits(host: TestHost, job: { id: string }): Promise<Json> {
  const response = await host.fetch(`/api/jobs/${job.id}/events`);
  let text = "";
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    assert.ok(!done, text);
    text += value;
    const found = text.split("\n").filter((line) => line.startsWith("data:"))
      .flatMap((line) => {
        try {
          return [JSON.parse(line.slice(5))];
        } catch {
          return []; // cut off: the rest is yet to come
        }
      }).find((event) => event.status === "waiting");
    if (found === undefined) continue;
    await reader.cancel();
    return found;
  }
}

async function withPlugin(
  body: (host: TestHost, folder: string, dataDir: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-test-" });
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    await Deno.writeTextFile(`${folder}/stamps.txt`, "two stamps");
    await Deno.mkdir(`${folder}/plugin`);
    await writePlugin(`${folder}/plugin`, `${folder}/stamps.txt`);
    await using host = await startTestHost({ dataDir });
    await install(host, `${folder}/plugin`);
    await body(host, folder, dataDir);
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(dataDir, { recursive: true });
  }
}

Deno.test("over HTTP: a job asks for what it misses, and goes on when it is granted, restarts notwithstanding", () =>
  withPlugin(async (first, folder, dataDir) => {
    const job = await importLetter(first);
    const event = await waits(first, job);
    assert.match(event.message, /needs a permission: .*stamps\.txt/);
    assert.equal((await first.get(`/api/jobs/${job.id}`)).status, "waiting");
    const key = `read:${folder}/stamps.txt`;
    const [prompt] = (await first.get("/api/plugins/prompts")).items;
    assert.deepEqual(
      [prompt.job, prompt.plugin, prompt.permissions.map((p: Json) => [p.key, p.reason])],
      [job.id, ID, [[key, "to look at the stamps"]]],
    );
    assert.ok(Date.parse(prompt.expires) > Date.parse(prompt.asked));
    assert.equal((await first.fetch(`/api/plugins/prompts/none`)).status, 404);
    await first.kill();

    await using host = await startTestHost({ dataDir });
    assert.deepEqual((await host.get(`/api/plugins/prompts/${prompt.id}`)).job, job.id);
    const answered = await host.post(`/api/plugins/prompts/${prompt.id}`, {
      decision: "grant",
      grants: [key],
      duration: "job",
    });
    assert.equal(answered.job, job.id);
    const done = await host.ended(job);
    assert.equal(done.status, "completed", JSON.stringify(done.error));
    assert.deepEqual((await host.get("/api/plugins/prompts")).items, []);

    const again = await importLetter(host);
    await waits(host, again);
    const [next] = (await host.get("/api/plugins/prompts")).items;
    await host.post(`/api/plugins/prompts/${next.id}`, { decision: "deny" });
    const failed = await host.ended(again);
    assert.deepEqual([failed.status, failed.error.code], ["failed", "denied"]);
    assert.ok(failed.error.message.includes(key), failed.error.message);

    // One that is cancelled asks nobody any more.
    const third = await importLetter(host);
    await waits(host, third);
    assert.equal((await host.get("/api/plugins/prompts")).items.length, 1);
    await host.fetch(`/api/jobs/${third.id}`, { method: "DELETE" });
    assert.equal((await host.ended(third)).status, "cancelled");
    assert.deepEqual((await host.get("/api/plugins/prompts")).items, []);
    await until(async () => (await host.get("/api/plugins/consents")).items.length === 0);

    const audit = (await host.get(`/api/plugins/${ID}/audit`)).items;
    const events = audit.map((row: Json) => row.event);
    for (const name of ["runner.started", "permission.denied", "permission.used"]) {
      assert.ok(events.includes(name), `${name} in ${events}`);
    }
  }));

Deno.test("by the command line: a watched job says what it needs and how to answer", () =>
  withPlugin(async (host, folder, dataDir) => {
    const carrel = (...args: string[]) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", `--config=${CONFIG}`, "-P=host", MAIN, ...args, "--data", dataDir],
        env: { NO_COLOR: "1" },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
    const job = await importLetter(host);
    await waits(host, job);
    const watching = carrel("job", "watch", job.id).spawn();
    let said = "";
    let answered = false;
    for await (const chunk of watching.stderr.pipeThrough(new TextDecoderStream())) {
      said += chunk;
      const command = /Answer with: carrel (plugin consent \S+)/.exec(said)?.[1];
      if (command === undefined || answered) continue;
      answered = true;
      const { code, stderr } = await carrel(
        ...command.split(" "),
        "--yes",
        "--allow-read",
        `${folder}/stamps.txt`,
      ).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    }
    await watching.stdout.cancel();
    assert.equal((await watching.status).code, 0, said);
    assert.match(said, /waiting/);
    assert.equal((await host.get(`/api/jobs/${job.id}`)).status, "completed");
  }));
