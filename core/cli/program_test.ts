// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "./errors.ts";
import { carrel, ownHost, setup } from "./testing/carrel.ts";
import { TOKEN } from "./testing/host.ts";

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

Deno.test("carrel is the host itself when none runs, and shows the first token once", async () => {
  await using t = await setup();
  const own = ownHost(t.host, "carrel_first");
  const { exit, err } = await carrel(["content", "list", "--data", t.folder], {
    startHost: own.startHost,
  });
  assert.equal(exit, EXIT.ok);
  assert.match(err, /First start of this library[\s\S]*carrel_first/);
  assert.deepEqual(own.asked, [{
    configDir: undefined,
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
  const silent = { pid: 4711, url: "http://127.0.0.1:9", port: 9, token: TOKEN, started: "now" };
  await Deno.writeTextFile(join(t.folder, "host.json"), JSON.stringify(silent));
  const hangs = await carrel(["job", "list", "--data", t.folder], held);
  assert.match(hangs.err, /process 4711 \(http:\/\/127\.0\.0\.1:9\).*kill 4711/);
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

Deno.test("carrel refuses arguments and options that are empty", async () => {
  for (
    const args of [
      ["import", ""],
      ["import", "a.md", ""],
      ["search", ""],
      ["search", " ", ""],
      ["search", "  "],
      ["provenance", ""],
      ["job", "cancel", ""],
      ["content", "delete", ""],
      ["job", "list", "--data", ""],
      ["job", "list", "--url", ""],
      ["export", "x", "-o", ""],
    ]
  ) {
    const { exit, err } = await carrel(args, { startHost: () => assert.fail("no host is needed") });
    assert.equal(exit, EXIT.usage, args.join(" "));
    assert.match(err, /^✗ Cannot .*\.\n/, args.join(" "));
  }
  assert.match((await carrel(["job", "list", "--data", ""])).err, /"carrel job list": --data is/);
  const token = await carrel(["job", "list", "--token-file", "", "--json"]);
  assert.equal(JSON.parse(token.out).error.code, "usage");
});

Deno.test("carrel lists the values when one of an option is not known", async () => {
  for (
    const [args, wanted] of [
      [["search", "x", "--type", "web"], /webpage, document, academic_paper/],
      [["content", "list", "--type", "web"], /webpage, document/],
      [["job", "list", "--status", "done"], /queued, running/],
      [["plugin", "list", "--kind", "importer"], /import, export/],
    ] as const
  ) {
    const { exit, err } = await carrel([...args]);
    assert.equal(exit, EXIT.usage);
    assert.match(err, wanted);
  }
});

Deno.test("carrel shows the first token even when it is told to be quiet", async () => {
  await using t = await setup();
  const own = ownHost(t.host, "carrel_first");
  for (const flag of ["--quiet", "--json"]) {
    const { err } = await carrel(["content", "list", flag, "--data", t.folder], own);
    assert.match(err, /carrel_first/);
  }
});

Deno.test("carrel says so when the data folder is a file", async () => {
  await using t = await setup();
  const { exit, err } = await carrel(["job", "list", "--data", join(t.folder, "a.md")]);
  assert.equal(exit, EXIT.failed);
  assert.match(err, /as the data folder: it is a file.*\(data_folder\)\n  → .*--data FOLDER/);
});
