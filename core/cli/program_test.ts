// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "./errors.ts";
import type { RunningHost } from "./host_contract.ts";
import { run } from "./program.ts";
import { contentJson, type FakeHost, fakeHost, PLUGIN, problem, TOKEN } from "./testing/host.ts";
import { type TestIo, testIo, type TestIoOptions } from "./testing/io.ts";

interface Setup extends AsyncDisposable {
  readonly host: FakeHost;
  readonly folder: string;
  /** Runs a command against the server. */
  carrel(args: string[], io?: TestIoOptions): Promise<{ exit: number; out: string; err: string }>;
}

async function setup(): Promise<Setup> {
  const host = fakeHost();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "a.md"), "# A");
  await Deno.writeTextFile(join(folder, "b.md"), "# B");
  return {
    host,
    folder,
    carrel: (args, options) => carrel([...args, "--url", host.url], { cwd: folder, ...options }),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

async function carrel(args: string[], options: TestIoOptions = {}, io?: TestIo) {
  io ??= testIo({ env: { CARREL_TOKEN: TOKEN, ...options.env }, ...options });
  const exit = await run(args, io, "0.0.0");
  return { exit, out: io.outText(), err: io.errText() };
}

/** A host that this process starts: a fake server, and what was asked of it. */
function ownHost(host: FakeHost, adminToken?: string) {
  const asked: unknown[] = [];
  let stopped = 0;
  const finished = Promise.withResolvers<void>();
  const startHost = (options: unknown): Promise<RunningHost> => {
    asked.push(options);
    const shutdown = () => {
      stopped++;
      finished.resolve();
      return Promise.resolve();
    };
    return Promise.resolve({
      url: host.url,
      port: host.port,
      token: TOKEN,
      adminToken,
      finished: finished.promise,
      shutdown,
      [Symbol.asyncDispose]: shutdown,
    });
  };
  return { startHost, asked, stopped: () => stopped, end: () => finished.resolve() };
}

Deno.test("carrel shows help and version with exit 0, and usage errors with exit 2", async () => {
  const help = await carrel(["--help"]);
  assert.equal(help.exit, EXIT.ok);
  for (const word of ["serve", "import", "provenance", "Exit codes", "NO_COLOR"]) {
    assert.match(help.out, new RegExp(word));
  }
  assert.match((await carrel(["help", "import"])).out, /--no-wait/);
  assert.equal((await carrel(["--version"])).out, "0.0.0\n");
  assert.match((await carrel(["version"])).out, /^carrel 0\.0\.0 \(deno/);
  assert.equal(JSON.parse((await carrel(["version", "--json"])).out).version, "0.0.0");
  for (
    const wrong of [
      ["nonsense"],
      ["import"],
      ["serve", "--port", "99999"],
      ["search", "x", "-k", "0"],
      [
        "plugin",
      ],
      ["export", "x", "--param", "=1"],
      ["token", "create", "--name", "x", "--role", "king"],
    ]
  ) {
    const { exit, err } = await carrel(wrong);
    assert.equal(exit, EXIT.usage, wrong.join(" "));
    assert.notEqual(err, "");
  }
});

Deno.test("carrel import follows each import and prints what came in", async () => {
  await using t = await setup();
  const { exit, out, err } = await t.carrel(
    ["import", "a.md", "https://example.org/", "--collection", "desks", "--wait"],
    { terminal: true, columns: 120 },
  );
  assert.equal(exit, EXIT.ok);
  assert.deepEqual(out.trim().split("\n").map((line) => line.split("  ")[1]), [
    "a.md",
    "example.org",
  ]);
  assert.match(err, /✓.* a\.md.*done.*Title of content_/);
  assert.match(err, /2 documents imported\./);
  const bodies = t.host.seen.filter((seen) => seen.method === "POST").map((seen) => seen.body);
  assert.ok(bodies.some((body) => (body as { file?: { text: string } }).file?.text === "# A"));
});

Deno.test("carrel import says of each failure its code and what to do, and exits 1", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "failed", error: { code: "encrypted", message: "It is locked." } }, {
    end: "cancelled",
  }, {});
  t.host.intercept = (seen) =>
    JSON.stringify(seen.body)?.includes("10.0.0.1")
      ? problem(403, "private_address", 'Cannot import "http://10.0.0.1/": it is private.')
      : undefined;
  const words = ["a.md", "b.md", "https://ok.org/", "http://10.0.0.1/"];
  const { exit, out, err } = await t.carrel(["import", ...words, "--wait", "--parallel", "1"]);
  assert.equal(exit, EXIT.failed);
  assert.equal(out, "content_3  ok.org\n");
  assert.match(err, /✗ a\.md: It is locked\. \(encrypted, import_1\)\n  → Remove the password/);
  assert.match(err, /– b\.md: cancelled \(import_2\)/);
  assert.match(err, /it is private\. \(private_address\)\n  → .*--allow-private/);
  assert.match(err, /1 document imported, 3 failed\./);
});

Deno.test("carrel import --json answers with one document", async () => {
  await using t = await setup();
  t.host.stories.push({}, { end: "failed", error: { code: "empty", message: "nothing" } });
  const { exit, out, err } = await t.carrel(
    ["import", "a.md", "b.md", "--json", "--wait", "--parallel", "1", "--metadata", "n=1"],
  );
  assert.equal(exit, EXIT.failed);
  assert.equal(err, "");
  const { items } = JSON.parse(out);
  assert.deepEqual(
    items.map((item: Record<string, unknown>) => [item.source, item.content, item.skipped]),
    [["a.md", "content_1", false], ["b.md", null, false]],
  );
  assert.equal(items[1].error.code, "empty");
  assert.deepEqual(
    (t.host.last("POST", /import/)!.body as { metadata: string }).metadata,
    '{"n":1}',
  );
});

Deno.test("carrel import passes over files of a folder that no plugin takes", async () => {
  await using t = await setup();
  t.host.intercept = (seen) =>
    JSON.stringify(seen.body)?.includes('"b.md"')
      ? problem(422, "no_plugin", "nobody takes it")
      : undefined;
  const found = await t.carrel(["import", ".", "--wait"]);
  assert.equal(found.exit, EXIT.ok);
  assert.match(found.err, /1 document imported, 1 left out\./);
  assert.equal((await t.carrel(["import", "b.md", "--wait"])).exit, EXIT.failed);
});

Deno.test("carrel import takes standard input, and does not wait when it is told not to", async () => {
  await using t = await setup();
  const { exit, out } = await t.carrel(["import", "-", "--name", "n.md", "--no-wait", "--quiet"], {
    stdin: "# In",
  });
  assert.equal(exit, EXIT.ok);
  assert.equal(out, "import_1  n.md\n");
  assert.deepEqual((t.host.last("POST", /import/)!.body as { file: unknown }).file, {
    name: "n.md",
    type: "text/markdown",
    text: "# In",
  });
});

Deno.test("carrel import leaves the jobs to the server when it is interrupted", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" });
  const io = testIo({ cwd: t.folder, env: { CARREL_TOKEN: TOKEN } });
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const args = ["import", "a.md", "b.md", "--wait", "--parallel", "1", "--url", t.host.url];
  const { exit, err } = await carrel(args, {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /the job goes on in the server\.\n  → carrel job watch import_1/);
  assert.equal(t.host.last("DELETE", /jobs/), undefined);
});

Deno.test("carrel import cancels its jobs when it is interrupted and is the host itself", async () => {
  await using t = await setup();
  const own = ownHost(t.host);
  t.host.stories.push({ end: "never" });
  const io = testIo({ cwd: t.folder, startHost: own.startHost });
  t.host.intercept = (seen) => {
    if (seen.method === "GET" && seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const { exit, err } = await carrel(["import", "a.md", "--data", t.folder], {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /Interrupted: the job is cancelled\./);
  assert.equal(t.host.jobs.get("import_1")!.job.status, "cancelled");
  assert.equal(own.stopped(), 1);
});

Deno.test("carrel is the host itself when none runs, and shows the first token once", async () => {
  await using t = await setup();
  const own = ownHost(t.host, "carrel_first");
  const { exit, err } = await carrel(["content", "list", "--data", t.folder], {
    startHost: own.startHost,
  });
  assert.equal(exit, EXIT.ok);
  assert.match(err, /First start of this library[\s\S]*carrel_first/);
  assert.deepEqual(own.asked, [{
    dataDir: t.folder,
    hostname: "127.0.0.1",
    port: 0,
    log: undefined,
  }]);
  assert.equal(own.stopped(), 1);
  const noWait = await carrel(["import", "a.md", "--no-wait", "--data", t.folder], {
    cwd: t.folder,
    startHost: own.startHost,
  });
  assert.match(noWait.err, /the imports begin when one does/);
});

Deno.test("carrel talks to the host that runs on the data folder", async () => {
  await using t = await setup();
  await Deno.writeTextFile(
    join(t.folder, "host.json"),
    JSON.stringify({ pid: 1, url: t.host.url, port: t.host.port, token: TOKEN, started: "now" }),
  );
  const held = { tryLock: () => Promise.resolve(undefined), clockStepMs: 5000 };
  assert.equal((await carrel(["job", "list", "--data", t.folder], held)).exit, EXIT.ok);
  // Somebody holds the folder and does not answer.
  await Deno.writeTextFile(join(t.folder, "host.json"), "{}");
  const stuck = await carrel(["job", "list", "--data", t.folder], held);
  assert.equal(stuck.exit, EXIT.unreachable);
  assert.match(stuck.err, /another process holds it and does not answer\. \(locked\)/);
});

Deno.test("carrel meets a host that starts at the same moment", async () => {
  await using t = await setup();
  let tries = 0;
  const own = ownHost(t.host);
  const { exit } = await carrel(["job", "list", "--data", t.folder], {
    startHost: (options) =>
      ++tries === 1
        ? Promise.reject(Object.assign(new Error("taken"), { code: "locked" }))
        : own.startHost(options),
  });
  assert.equal(exit, EXIT.ok);
  const failing = await carrel(["job", "list", "--data", t.folder, "--json"], {
    startHost: () => Promise.reject(Object.assign(new Error("newer"), { code: "schema_too_new" })),
  });
  assert.equal(failing.exit, EXIT.failed);
  assert.equal(JSON.parse(failing.out).error.code, "schema_too_new");
});

Deno.test("carrel --url wants an address, a token that is good, and a server there", async () => {
  await using t = await setup();
  const wrong = await carrel(["job", "list", "--url", "ftp://x"]);
  assert.equal(wrong.exit, EXIT.usage);
  const noToken = await t.carrel(["job", "list"], { env: {} });
  assert.equal(noToken.exit, EXIT.failed);
  assert.match(noToken.err, /\(unauthorized\)\n  → Give a valid token/);
  await Deno.writeTextFile(join(t.folder, "token"), ` ${TOKEN}\n`);
  const file = join(t.folder, "token");
  assert.equal((await t.carrel(["job", "list", "--token-file", file], { env: {} })).exit, EXIT.ok);
  assert.equal((await t.carrel(["job", "list", "--token-file", "/nowhere"])).exit, EXIT.usage);
  assert.equal(
    (await carrel(["job", "list", "--url", "http://127.0.0.1:9"])).exit,
    EXIT.unreachable,
  );
});

Deno.test("carrel serve says where it listens, and stops with exit 0 at Ctrl-C", async () => {
  await using t = await setup();
  const own = ownHost(t.host, "carrel_first");
  const io = testIo({ startHost: own.startHost });
  const args = ["serve", "--data", t.folder, "--port", "0", "--host", "0.0.0.0"];
  const running = run(
    [...args, "--allow-private", "a:1,b:2", "--allow-private", "c:3"],
    io,
    "0.0.0",
  );
  while (!io.outText().includes("Ctrl-C")) await new Promise((resolve) => setTimeout(resolve, 1));
  io.interrupt();
  assert.equal(await running, EXIT.ok);
  assert.match(io.outText(), /listens on http:\/\/127[\s\S]*carrel_first/);
  assert.match(io.errText(), /Other machines can reach[\s\S]*Stopped\./);
  const [asked] = own.asked as { allowPrivate: string[] }[];
  assert.deepEqual(asked!.allowPrivate, ["a:1", "b:2", "c:3"]);
});

Deno.test("carrel serve exits 1 when the host ends by itself", async () => {
  await using t = await setup();
  const own = ownHost(t.host);
  own.end();
  const { exit, out } = await carrel(["serve", "--data", t.folder, "--json"], own);
  assert.equal(exit, EXIT.failed);
  assert.equal(JSON.parse(out).url, t.host.url);
});

Deno.test("carrel export saves the book that it makes", async () => {
  await using t = await setup();
  const made = await t.carrel([
    "export",
    "content_1",
    "content_1",
    "--title",
    "Desks",
    "--param",
    "toc=false",
  ]);
  assert.equal(made.exit, EXIT.ok);
  assert.equal(await Deno.readTextFile(join(t.folder, "a-book.epub")), "bytes");
  assert.deepEqual(t.host.last("POST", /export/)!.body, {
    source_ids: ["content_1"],
    format: "ebook",
    parameters: { toc: false, title: "Desks" },
  });
  const again = await t.carrel(["export", "content_1", "-o", "a-book.epub"]);
  assert.equal(again.exit, EXIT.failed);
  assert.match(again.err, /file_exists/);
  const stdout = await t.carrel(["export", "--query", "desk", "-o", "-", "--quiet"]);
  assert.equal(stdout.out, "bytes");
  const json = await t.carrel(
    [
      "export",
      "content_1",
      "-o",
      "x.epub",
      "--json",
      "--version-of",
      "artifact_0",
      "--reason",
      "new",
    ],
  );
  assert.equal(JSON.parse(json.out).saved, join(t.folder, "x.epub"));
  assert.deepEqual((t.host.last("POST", /export/)!.body as { provenance: unknown }).provenance, {
    version_of: "artifact_0",
    reason: "new",
  });
});

Deno.test("carrel export finds what to export, or says that nothing matches", async () => {
  await using t = await setup();
  for (const wrong of [["export"], ["export", "x", "--all"]]) {
    assert.equal((await t.carrel(wrong)).exit, EXIT.usage);
  }
  assert.match((await t.carrel(["export", "--query", "nothing"])).err, /nothing in the library/);
  t.host.contents.push(contentJson("content_7"), contentJson("content_8"));
  const started = await t.carrel(["export", "--all", "--no-wait"]);
  assert.equal(started.out, "export_1\n");
  assert.deepEqual((t.host.last("POST", /export/)!.body as { source_ids: unknown }).source_ids, [
    "content_8",
    "content_7",
  ]);
  t.host.stories.push({ end: "failed", error: { code: "timed_out", message: "too slow" } });
  const failed = await t.carrel(["export", "--all"]);
  assert.equal(failed.exit, EXIT.failed);
  assert.match(failed.err, /too slow \(timed_out\)\n  → .*carrel job retry export_2/);
});

Deno.test("carrel search shows passages, or JSON, or that there is none", async () => {
  await using t = await setup();
  const found = await t.carrel(["search", "a", "desk", "-k", "3", "--type", "webpage"]);
  assert.match(found.out, / 1  A page  webpage · page 3 · Desks\n    a \[desk\] for a reader\./);
  assert.deepEqual(t.host.last("GET", "/api/search")!.query, {
    q: "a desk",
    k: "3",
    type: "webpage",
  });
  assert.match(found.err, /1 passage\./);
  assert.match((await t.carrel(["search", "nothing"])).err, /Nothing found for “nothing”/);
  assert.equal(JSON.parse((await t.carrel(["search", "x", "--json"])).out).hits.length, 1);
});

Deno.test("carrel content lists, shows, saves and deletes", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["content", "list"])).err, /Nothing here yet/);
  t.host.contents.push(contentJson("content_1"));
  assert.match(
    (await t.carrel(["content", "list"])).out,
    /content_1  webpage  2026-03-04 05:06  Title/,
  );
  assert.match((await t.carrel(["content", "list", "--artifacts"])).out, /artifact_1  ebook/);
  const shown = await t.carrel(["content", "show", "content_1"]);
  assert.match(shown.out, /Title of content_1\n[\s\S]*authors +Ada[\s\S]*! the text map/);
  assert.match((await t.carrel(["content", "show", "artifact_1"])).out, /sources +content_1/);
  assert.match(
    (await t.carrel(["content", "files", "content_1"])).out,
    /extracted\.txt  text\/plain +5 B/,
  );
  assert.match((await t.carrel(["content", "files", "artifact_1"])).out, /a-book\.epub/);
  const saved = await t.carrel(["content", "files", "content_1", "extracted.txt"]);
  assert.equal(saved.out, `${join(t.folder, "extracted.txt")}  5 B\n`);
  assert.equal((await t.carrel(["content", "files", "content_1", "x", "-o", "-"])).out, "bytes");
  assert.equal((await t.carrel(["content", "delete", "content_1", "content_2"])).exit, EXIT.ok);
  const hard = ["content", "delete", "content_1", "--hard"];
  const kept = await t.carrel(hard, { terminal: true, answers: ["n"] });
  assert.equal(kept.exit, EXIT.interrupted);
  assert.equal((await t.carrel(hard, { terminal: true, answers: ["y"] })).exit, EXIT.ok);
  assert.deepEqual(t.host.seen.at(-1)!.query, { hard_delete: "true" });
});

Deno.test("carrel job lists, shows, watches, cancels, retries and tells", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["job", "list"])).err, /No jobs/);
  t.host.stories.push({}, {
    end: "failed",
    error: { code: "crashed", message: "it fell", log: ["ouch\x1b[2J"] },
  }, {
    end: "never",
  });
  await t.carrel(["import", "a.md", "b.md", "https://slow.org/", "--no-wait", "--parallel", "1"]);
  const list = await t.carrel(["job", "list", "--kind", "import"]);
  assert.match(list.out, /import_2  failed .*\(crashed\)/);
  assert.match(
    (await t.carrel(["job", "show", "import_1"])).out,
    /import_1  completed[\s\S]*content_1/,
  );
  assert.match((await t.carrel(["job", "show", "import_2"])).out, /it fell \(crashed, import_2\)/);
  const watched = await t.carrel(["job", "watch", "import_1", "--json"]);
  assert.deepEqual(watched.out.trim().split("\n").map((line) => JSON.parse(line).seq), [1, 2, 3]);
  assert.equal((await t.carrel(["job", "watch", "import_2"])).exit, EXIT.failed);
  assert.equal((await t.carrel(["job", "watch", "import_9"])).exit, EXIT.failed);
  const log = await t.carrel(["job", "log", "import_2"]);
  assert.match(
    log.out,
    /05:06:07\.890  extracting +40% reading[\s\S]*1 line of its plugin:\n  ouch\ufffd\[2J/,
  );
  const open = await t.carrel(["job", "log", "import_3"]);
  assert.match(open.err, /has not ended yet/);
  assert.match((await t.carrel(["job", "cancel", "import_3"])).out, /import_3  cancelled/);
  assert.match((await t.carrel(["job", "retry", "import_2"])).out, /import_2  completed/);
  assert.match((await t.carrel(["job", "retry", "import_2", "--no-wait"])).out, /import_2/);
});

Deno.test("carrel job watch can be left, and the job goes on", async () => {
  await using t = await setup();
  t.host.stories.push({ end: "never" });
  await t.carrel(["import", "a.md", "--no-wait"]);
  const io = testIo({ env: { CARREL_TOKEN: TOKEN } });
  t.host.intercept = (seen) => {
    if (seen.path.endsWith("/events")) io.interrupt();
    return undefined;
  };
  const { exit, err } = await carrel(["job", "watch", "import_1", "--url", t.host.url], {}, io);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /the jobs go on\./);
});

Deno.test("carrel plugin install asks on a terminal, and grants what was allowed", async () => {
  await using t = await setup();
  const yes = await t.carrel(["plugin", "install", "./sample"], {
    terminal: true,
    answers: ["y", "n", "y"],
  });
  assert.equal(yes.exit, EXIT.ok);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, {
    decision: "grant",
    grants: ["net:arxiv.org:443"],
  });
  assert.match(yes.out, /import\.sample 1\.0\.0 is installed, with 1 of 2 permissions/);
  assert.match(yes.err, /Not granted: --allow-env=HOME/);
  const no = await t.carrel(["plugin", "install", "x"], {
    terminal: true,
    answers: ["y", "y", ""],
  });
  assert.equal(no.exit, EXIT.consent);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, { decision: "deny", grants: [] });
});

Deno.test("carrel plugin install denies all and exits 3 when there is no terminal", async () => {
  await using t = await setup();
  const { exit, err } = await t.carrel(["plugin", "install", "x"]);
  assert.equal(exit, EXIT.consent);
  assert.match(err, /→ .*--yes --allow-net=arxiv\.org:443 --allow-env=HOME/);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, { decision: "deny", grants: [] });
  const some = await t.carrel(["plugin", "install", "x", "--yes", "--allow-env=HOME", "--json"]);
  assert.deepEqual(JSON.parse(some.out).denied, ["net:arxiv.org:443"]);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, {
    decision: "grant",
    grants: ["env:HOME"],
  });
  assert.equal(
    (await t.carrel(["plugin", "install", "x", "--yes", "--allow-read=/"])).exit,
    EXIT.usage,
  );
});

Deno.test("carrel plugin lists, shows, switches, checks and uninstalls", async () => {
  await using t = await setup();
  t.host.plugins.push({
    ...PLUGIN,
    id: "export.none",
    enabled: false,
    builtin: true,
    permissions: [],
  });
  const list = await t.carrel(["plugin", "list"]);
  assert.match(list.out, /● +import\.sample +1\.0\.0 +sandboxed +net \(1 of 2\)/);
  assert.match(list.out, /○ +export\.none +1\.0\.0 +built in +none/);
  const info = await t.carrel(["plugin", "info", "import.sample"]);
  assert.match(info.out, /memory 537 MB[\s\S]*It may:\n  medium[\s\S]*may not:\n  low/);
  assert.match((await t.carrel(["plugin", "info", "export.none"])).out, /no permission at all/);
  assert.match((await t.carrel(["plugin", "disable", "import.sample"])).out, /switched off/);
  assert.match((await t.carrel(["plugin", "enable", "import.sample"])).out, /switched on/);
  assert.match((await t.carrel(["plugin", "uninstall", "import.sample"])).out, /uninstalled/);
  assert.equal((await t.carrel(["plugin", "health"])).exit, EXIT.ok);
  const ill = await t.carrel(["plugin", "health", "import.ill"]);
  assert.equal(ill.exit, EXIT.failed);
  assert.match(ill.out, /unhealthy  import\.ill  no answer/);
});

Deno.test("carrel provenance draws the tree, or the attribution", async () => {
  await using t = await setup();
  const tree = await t.carrel(["provenance", "artifact_1", "--depth", "3"]);
  assert.equal(
    tree.out,
    "Ebook A book\n├─ from WebPage A page  (claimed by export.ebook)\n└─ made by PluginVersion export.ebook 0.1.0\n",
  );
  assert.equal(t.host.seen.at(-1)!.path, "/api/provenance/artifact/artifact_1/genealogy");
  const text = await t.carrel(["provenance", "artifact_1", "--attribution"]);
  assert.equal(text.out, "A page, by Ada.\nAnother.\n");
});

Deno.test("carrel token lists, creates and revokes", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["token", "list"])).out, /token_1  laptop  reader/);
  const made = await t.carrel([
    "token",
    "create",
    "--name",
    "x",
    "--role",
    "editor",
    "--expires",
    "2030-01-31",
  ]);
  assert.equal(made.out, "carrel_new\n");
  assert.deepEqual(t.host.last("POST", "/api/tokens")!.body, {
    name: "x",
    role: "editor",
    expires: "2030-01-31T00:00:00.000Z",
  });
  assert.equal(
    (await t.carrel(["token", "create", "--name", "x", "--expires", "soon"])).exit,
    EXIT.usage,
  );
  assert.match((await t.carrel(["token", "revoke", "token_1"])).out, /revoked token_1/);
});

Deno.test("carrel doctor looks at the folder, the host and the stores", async () => {
  await using t = await setup();
  const good = await t.carrel(["doctor"]);
  assert.equal(good.exit, EXIT.ok);
  assert.match(good.out, /✓ store sql +answers[\s\S]*✓ plugins +1, 1 switched on/);
  await Deno.chmod(t.folder, 0o755);
  const open = await carrel(["doctor", "--data", t.folder], {
    startHost: ownHost(t.host).startHost,
  });
  assert.equal(open.exit, EXIT.failed);
  assert.match(open.out, /✗ library .*chmod 700/);
  const none = await carrel(["doctor", "--data", join(t.folder, "none")]);
  assert.equal(none.exit, EXIT.ok);
  assert.match(none.out, /not there yet/);
  const failing = await carrel(["doctor", "--json", "--data", t.folder], {
    startHost: () => Promise.reject(new Error("no disk")),
  });
  assert.match(JSON.stringify(JSON.parse(failing.out).checks), /no disk/);
});
