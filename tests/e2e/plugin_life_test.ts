/** The whole life of a stranger's plugin, as a new user lives it: over HTTP, and again by the command line. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  descendants,
  type Json,
  type Site,
  startSite,
  startTestHost,
  type TestHost,
  until,
} from "./host.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));
const ID = "import.letter";

const manifest = (version: string, net: readonly string[]) =>
  `id: ${ID}
version: ${version}
name: Letters
description: Imports letters.
entry: mod.ts
media_types: [text/x-letter]
content_types: [document]
permissions:
  net: [${net.map((host) => `{value: ${host}, reason: "to look up who wrote it"}`).join(", ")}]
  write: [{value: "\${data}", reason: "to remember the senders"}]
config:
  type: object
  required: []
  properties:
    greeting: {type: string, maxLength: 20, default: Dear}
    key: {type: object, format: secret}
`;

/** Notes each letter in its data folder if it may, and says which version it is. */
const code = (version: string, health = "healthy") =>
  `import { definePlugin } from "@carrel/sdk";
import { greet } from "./greet.ts";
export default definePlugin.import({
  async extract(raw, ctx) {
    const { key } = ctx.secrets;
    ctx.log.info("the key is " + key);
    console.log(key);
    ctx.progress(0.5, "reading with " + key);
    const text = new TextDecoder().decode(raw.bytes);
    if (text.startsWith("fail")) throw new Error("could not send " + key);
    const folder = text.split(" ")[1];
    const kept = folder ? await Deno.writeTextFile(folder + "/senders.txt", text).then(() => "kept", () => "not kept") : "";
    return {
      type: "document",
      title: "A letter",
      markdown: greet(ctx.config.greeting) + " version ${version} " + kept + " " + key,
      metadata: {},
    };
  },
  healthCheck: () => ({ status: "${health}", message: "says so" }),
});
`;

interface Shop {
  readonly site: Site;
  readonly url: string;
  offer(version: string, net?: readonly string[], health?: string): void;
}

/** A plugin's folder behind a plain web server. */
function openShop(): Shop & AsyncDisposable {
  let files: Record<string, string> = {};
  const site = startSite((_, path) => {
    const text = files[path];
    return text === undefined ? new Response("", { status: 404 }) : new Response(text);
  });
  return {
    site,
    url: `${site.url}/letter/carrel.yaml`,
    offer(version, net = ["who.example"], health) {
      files = {
        "/letter/carrel.yaml": manifest(version, net),
        "/letter/mod.ts": code(version, health),
        "/letter/greet.ts": "export const greet = (word: unknown) => `${word} reader,`;\n",
      };
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}

/** Imports a letter, and gives what was made of it. */
async function read(host: TestHost, letter: string): Promise<{ job: Json; text: string }> {
  const form = new FormData();
  form.append("plugin", ID);
  form.append("file", new File([letter], "letter.txt", { type: "text/x-letter" }));
  const answer = await host.fetch("/api/content/import", { method: "POST", body: form });
  const job = await host.ended((await answer.json()).job);
  if (job.status !== "completed") return { job, text: "" };
  const path = `/api/content/${job.result.content}/files/extracted.txt`;
  return { job, text: await (await host.fetch(path)).text() };
}

/** The files of a folder that hold a text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) found.push(...await filesWith(path, text));
    else if (isFile) {
      const bytes = await Deno.readFile(path).catch(() => new Uint8Array());
      if (new TextDecoder("latin1").decode(bytes).includes(text)) found.push(path);
    }
  }
  return found;
}

Deno.test("over HTTP: install by URL, deny a part, update, roll back, uninstall", async () => {
  await using shop = openShop();
  await using host = await startTestHost({ allowPrivate: [shop.site.host] });
  shop.offer("1.0.0");
  const { consent } = await host.post("/api/plugins/install", { url: shop.url });
  assert.deepEqual(
    consent.permissions.map((p: Json) => [p.key, p.reason, p.granted]),
    [["net:who.example", "to look up who wrote it", false], [
      "write:${data}",
      "to remember the senders",
      false,
    ]],
  );
  assert.equal((await host.fetch(`/api/plugins/${ID}`)).status, 404);
  const { plugin } = await host.post(`/api/plugins/consents/${consent.id}`, {
    decision: "grant",
    grants: ["net:who.example"],
  });
  assert.deepEqual([plugin.version, plugin.error, plugin.verified], ["1.0.0", null, false]);
  const folder = `${host.dataDir}/plugins/${ID}/data`;
  assert.match(
    (await read(host, `letter ${folder}`)).text,
    /Dear reader, version 1\.0\.0 not kept/,
  );

  // What was refused can be granted later.
  const asked = (await host.post(`/api/plugins/${ID}/consent`, {})).consent;
  assert.deepEqual(asked.permissions.map((p: Json) => [p.key, p.denied]), [[
    "write:${data}",
    true,
  ]]);
  await host.post(`/api/plugins/consents/${asked.id}`, {
    decision: "grant",
    grants: ["write:${data}"],
  });
  assert.match((await read(host, `letter ${folder} 2`)).text, /version 1\.0\.0 kept/);

  // The same once more changes nothing.
  assert.equal((await host.post("/api/plugins/install", { url: shop.url })).unchanged, true);

  // An update that asks for more waits, and the old one works.
  shop.offer("1.1.0", ["who.example", "where.example"]);
  const update = (await host.post("/api/plugins/install", { url: shop.url })).consent;
  assert.deepEqual([update.kind, update.before.version, update.difference], ["update", "1.0.0", {
    added: ["net:where.example"],
    removed: [],
    same: ["net:who.example", "write:${data}"],
    limits: {},
    takes: { added: [], removed: [] },
  }]);
  assert.match((await read(host, "letter 3")).text, /version 1\.0\.0/);
  await host.post(`/api/plugins/consents/${update.id}`, {
    decision: "grant",
    grants: ["net:who.example", "write:${data}"],
  });
  assert.match((await read(host, "letter 4")).text, /version 1\.1\.0/);

  // One that does not answer does not go live.
  shop.offer("1.2.0", ["who.example", "where.example"], "unhealthy");
  const ill = (await host.post("/api/plugins/install", { url: shop.url })).consent;
  const stayed = await host.post(`/api/plugins/consents/${ill.id}`, { decision: "grant" });
  assert.deepEqual([stayed.plugin.version, stayed.plugin.enabled], ["1.1.0", true]);
  assert.match(stayed.plugin.error, /1\.2\.0 did not go live: says so/);

  const back = await host.post(`/api/plugins/${ID}/rollback`, {});
  assert.equal(back.version, "1.0.0");
  assert.match((await read(host, "letter 5")).text, /version 1\.0\.0/);
  const versions = (await host.get(`/api/plugins/${ID}/versions`)).items;
  assert.deepEqual(versions.map((v: Json) => [v.version, v.live]), [
    ["1.0.0", true],
    ["1.1.0", false],
    ["1.2.0", false],
  ]);

  assert.equal((await host.get(`/api/plugins/${ID}/health`)).status, "healthy");
  const events = (await host.get(`/api/plugins/${ID}/audit`)).items.map((row: Json) => row.event);
  for (
    const event of [
      "plugin.installed",
      "consent.granted",
      "plugin.updated",
      "plugin.rolled_back",
    ]
  ) {
    assert.ok(events.includes(event), event);
  }
  assert.equal((await host.get("/api/audit/verification")).ok, true);

  const gone = await host.fetch(`/api/plugins/${ID}?delete_data=true`, { method: "DELETE" });
  assert.equal(gone.status, 204);
  assert.equal((await host.fetch(`/api/plugins/${ID}`)).status, 404);
  await until(() => descendants(host.pid).length <= 1);
  const left = await names(host.dataDir);
  assert.deepEqual(left.filter((path) => path.includes(ID)), []);
  for (const { digest } of versions) {
    assert.deepEqual(left.filter((path) => path.includes(digest)), []);
  }
});

async function names(folder: string): Promise<string[]> {
  const all: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    all.push(`${folder}/${name}`);
    if (isDirectory) all.push(...await names(`${folder}/${name}`));
  }
  return all;
}

Deno.test("over HTTP: settings are checked, and what is set holds over a restart", async () => {
  await using shop = openShop();
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    {
      await using host = await startTestHost({ dataDir, allowPrivate: [shop.site.host] });
      shop.offer("1.0.0");
      const { consent } = await host.post("/api/plugins/install", { url: shop.url });
      await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });
      const put = (body: unknown) =>
        host.fetch(`/api/plugins/${ID}/config`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        });
      for (
        const [config, field] of [
          [{ greeting: 5 }, "greeting"],
          [{ greeting: "x".repeat(21) }, "greeting"],
          [{ colour: "red" }, "colour"],
          [{ key: "sk-written-out" }, "key"],
        ] as const
      ) {
        const problem = await (await put({ config })).json();
        assert.deepEqual([problem.code, problem.details.field], ["invalid_config", field]);
        assert.ok(!JSON.stringify(problem).includes("sk-written-out"));
      }
      assert.ok((await put({ config: { greeting: "Hello" }, limits: { wall_s: 7 } })).ok);
      assert.match((await read(host, "letter 1")).text, /Hello reader/);
      await host.post(`/api/plugins/${ID}/disable`, {});
      shop.offer("2.0.0");
      await host.post("/api/plugins/install", { url: shop.url });
      assert.equal(await host.stop(), true);
    }
    await using host = await startTestHost({ dataDir, allowPrivate: [shop.site.host] });
    const plugin = await host.get(`/api/plugins/${ID}`);
    assert.deepEqual([plugin.enabled, plugin.config, plugin.limits.wall_s], [
      false,
      { greeting: "Hello" },
      7,
    ]);
    const [consent] = (await host.get("/api/plugins/consents")).items;
    assert.deepEqual([consent.kind, consent.version], ["update", "2.0.0"]);
    await host.post(`/api/plugins/${ID}/enable`, {});
    await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });
    assert.match((await read(host, "letter 2")).text, /Hello reader, version 2\.0\.0/);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

Deno.test("a secret is in no file, no answer and no event, whatever its plugin says", async () => {
  const canary = `canary-${crypto.randomUUID()}`;
  const keyFile = await Deno.makeTempFile();
  await Deno.writeTextFile(keyFile, `${canary}\n`);
  try {
    await using shop = openShop();
    await using host = await startTestHost({ allowPrivate: [shop.site.host] });
    shop.offer("1.0.0");
    const { consent } = await host.post("/api/plugins/install", { url: shop.url });
    await host.post(`/api/plugins/consents/${consent.id}`, {
      decision: "grant",
      grants: consent.permissions.map((p: Json) => p.key),
    });
    const set = await host.fetch(`/api/plugins/${ID}/config`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ config: { key: { file: keyFile } } }),
    });
    assert.ok(set.ok);
    const good = await read(host, "letter");
    assert.match(good.text, /version 1\.0\.0 {2}\\?\[secret\\?\]/, "the guest had it");
    const bad = await read(host, "fail");
    assert.equal(bad.job.error.code, "plugin_error");
    assert.ok(bad.job.error.log.some((line: string) => line.includes("[secret]")));
    const answers = await Promise.all([
      ...[good.job, bad.job].flatMap(({ id }) => [`/api/jobs/${id}`, `/api/jobs/${id}/events`]),
      `/api/plugins/${ID}`,
      `/api/plugins/${ID}/audit`,
      `/api/plugins?include_health=true`,
      "/api/audit",
      "/api/search?q=canary",
    ].map(async (path) => `${path} ${await (await host.fetch(path)).text()}`));
    assert.deepEqual(answers.filter((answer) => answer.includes(canary)), []);
    assert.deepEqual(await filesWith(host.dataDir, canary), []);
    assert.equal(await host.stop(), true);
    assert.deepEqual(await filesWith(host.dataDir, canary), []);
  } finally {
    await Deno.remove(keyFile);
  }
});

Deno.test("by the command line: install, deny a part, update, roll back, audit, uninstall", async () => {
  await using shop = openShop();
  await using host = await startTestHost({ allowPrivate: [shop.site.host] });
  async function carrel(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        `--config=${CONFIG}`,
        "-P=host",
        MAIN,
        ...args,
        "--data",
        host.dataDir,
      ],
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), err: text.decode(stderr) };
  }
  shop.offer("1.0.0");
  const nobody = await carrel("plugin", "install", shop.url);
  assert.equal(nobody.code, 3);
  assert.match(nobody.err, /low +Send requests to who\.example/);
  assert.match(nobody.err, /it says: to look up who wrote it/);
  assert.match(nobody.err, /add --yes, and .*--allow-net=who\.example --allow-write='\$\{data\}'/);
  assert.deepEqual((await host.get("/api/plugins/consents")).items, []);

  const installed = await carrel("plugin", "install", shop.url, "--yes", "--allow-net=who.example");
  assert.match(installed.out, /import\.letter 1\.0\.0 is installed, with 1 of 2 permissions/);
  assert.match(installed.err, /Not granted: --allow-write/);
  assert.match((await read(host, "letter")).text, /version 1\.0\.0/);
  const again = await carrel("plugin", "install", shop.url, "--yes");
  assert.match(again.out, /installed already/);

  shop.offer("1.1.0", ["who.example", "where.example"]);
  const waits = await carrel("plugin", "update", ID);
  assert.equal(waits.code, 3);
  assert.match(waits.err, /1\.0\.0 → 1\.1\.0[\s\S]*\+ Send requests to where\.example/);
  assert.match((await read(host, "letter 2")).text, /version 1\.0\.0/);
  const updated = await carrel("plugin", "update", ID, "--yes", "--json");
  assert.deepEqual(JSON.parse(updated.out).granted, ["net:who.example"]);
  assert.match((await read(host, "letter 3")).text, /version 1\.1\.0/);

  const later = await carrel("plugin", "consent", ID, "--yes", "--allow-net=where.example");
  assert.match(later.out, /is granted 1 of 2 permissions/);
  const set = await carrel("plugin", "config", ID, "greeting=Hello", "--limit", "wall_s=9");
  assert.match(set.out, /is set/);
  const wrong = await carrel("plugin", "config", ID, "greeting=5");
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /"greeting".*must be string/);
  assert.match((await read(host, "letter 4")).text, /Hello reader/);

  assert.match((await carrel("plugin", "rollback", ID)).out, /back at 1\.0\.0/);
  assert.match((await carrel("plugin", "info", ID)).out, /1\.0\.0[\s\S]*wall time 9 s/);
  assert.match((await carrel("plugin", "versions", ID)).out, /● +1\.0\.0[\s\S]*○ +1\.1\.0/);
  assert.match((await carrel("plugin", "audit", ID)).out, /plugin\.rolled_back/);
  assert.match((await carrel("plugin", "audit", "--verify")).out, /none changed, none missing/);
  assert.match((await carrel("plugin", "uninstall", ID, "--delete-data")).out, /uninstalled/);
  assert.deepEqual((await names(host.dataDir)).filter((path) => path.includes(ID)), []);
});

Deno.test("a host starts whatever its plugins do", async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  const folder = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    await Deno.writeTextFile(`${folder}/carrel.yaml`, manifest("1.0.0", []));
    await Deno.writeTextFile(
      `${folder}/mod.ts`,
      `import { definePlugin } from "@carrel/sdk";
if (new Date().getFullYear() > 3000) throw new Error();
export default definePlugin.import({ extract() { Deno.exit(9); } });
`,
    );
    {
      await using host = await startTestHost({ dataDir });
      const { consent } = await host.post("/api/plugins/install", { url: folder });
      await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });
      for (let i = 0; i < 3; i++) {
        const form = new FormData();
        form.append("plugin", ID);
        form.append("file", new File([`${i}`], "letter.txt", { type: "text/x-letter" }));
        const answer = await host.fetch("/api/content/import", { method: "POST", body: form });
        assert.ok(answer.ok);
      }
      const plugin = await until(async () => {
        const plugin = await host.get(`/api/plugins/${ID}`);
        return plugin.state === "quarantined" ? plugin : undefined;
      });
      assert.match(plugin.error, /crashed again and again/);
      // Those that try again are held, and told why.
      const held = await until(async () => {
        const { items } = await host.get("/api/jobs?status=waiting");
        return items.find((job: Json) => job.error.code === "quarantined");
      });
      assert.match(held.message, /set aside/);
      assert.equal(await host.stop(), true);
    }
    // A bundle that somebody broke meanwhile.
    const bundles = (await names(`${dataDir}/plugins`)).filter((path) => path.endsWith(".js"));
    for (const path of bundles) await Deno.writeTextFile(path, "while (true) {}");
    await using host = await startTestHost({ dataDir });
    assert.equal((await host.get(`/api/plugins/${ID}`)).state, "quarantined");
    assert.equal((await host.get("/healthz")).status, "ok");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
    await Deno.remove(folder, { recursive: true });
  }
});
