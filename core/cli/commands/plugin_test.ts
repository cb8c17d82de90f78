// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { carrel, setup } from "../testing/carrel.ts";
import { TOKEN } from "../testing/host.ts";
import { testIo } from "../testing/io.ts";
import { CONSENT, PLUGIN } from "../testing/samples.ts";

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
  assert.match(err, /→ .*--yes, and .*--allow-net=arxiv\.org:443 --allow-env=HOME/);
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
  assert.match(list.out, /● +import\.sample +1\.0\.0 +sandboxed +unverified +net \(1 of 2\)/);
  assert.match(list.out, /○ +export\.none +1\.0\.0 +built in +none/);
  const info = await t.carrel(["plugin", "info", "import.sample"]);
  assert.match(info.out, /memory 512 MiB[\s\S]*It may:\n  medium[\s\S]*may not:\n  low/);
  assert.match((await t.carrel(["plugin", "info", "export.none"])).out, /no permission at all/);
  assert.match((await t.carrel(["plugin", "disable", "import.sample"])).out, /switched off/);
  assert.match((await t.carrel(["plugin", "enable", "import.sample"])).out, /switched on/);
  assert.match((await t.carrel(["plugin", "uninstall", "import.sample"])).out, /uninstalled/);
  assert.equal((await t.carrel(["plugin", "health"])).exit, EXIT.ok);
  const ill = await t.carrel(["plugin", "health", "import.ill"]);
  assert.equal(ill.exit, EXIT.failed);
  assert.match(ill.out, /unhealthy  import\.ill  no answer/);
});

Deno.test("carrel plugin install and info say what is asked above the default limits", async () => {
  await using t = await setup();
  const text = "Asks for 64 GiB of memory; this host gives at most 4 GiB";
  const request = { limit: "memory_mb", text, asked: 65_536, default: 512, given: 4096 };
  t.host.consent = { ...CONSENT, limit_requests: [request] };
  const install = await t.carrel(["plugin", "install", "https://plugins.example/x.tgz"]);
  assert.equal(install.exit, EXIT.consent);
  assert.match(
    install.err,
    /asks for more than the default:\n {2}\^ Asks for 64 GiB of memory; this/,
  );
  const yes = await t.carrel(["plugin", "install", "https://plugins.example/x.tgz", "--yes"]);
  assert.match(yes.err, /this host gives at most 4 GiB/);
  t.host.plugins[0] = { ...t.host.plugins[0]!, limit_requests: [request] };
  const info = await t.carrel(["plugin", "info", "import.sample"]);
  assert.match(info.out, /beyond +Asks for 64 GiB of memory; this host gives at most 4 GiB/);
});

Deno.test("carrel plugin update fetches from where it came, shows the difference and keeps what was decided", async () => {
  await using t = await setup();
  const [net, home] = CONSENT.permissions;
  t.host.consent = {
    ...CONSENT,
    kind: "update",
    version: "2.0.0",
    before: { version: "1.0.0", origin: CONSENT.origin },
    permissions: [{ ...net!, granted: true }, home!],
    difference: {
      added: [home!.key],
      removed: ["net:old.example:443"],
      same: [net!.key],
      limits: { memory_mb: { from: 512, to: 1024 } },
      takes: {
        added: [{ key: "media_types:*/*", text: "Read files of every type" }],
        removed: [{ key: "formats:old", text: "Make exports of the format old" }],
      },
    },
  };
  const update = await t.carrel(["plugin", "update", "import.sample"], {
    terminal: true,
    answers: ["n", "y"],
    env: { CARREL_TOKEN: TOKEN, NO_COLOR: "1" },
  });
  assert.equal(update.exit, EXIT.ok);
  assert.equal(
    (t.host.last("POST", "/api/plugins/install")!.body as { url: string }).url,
    "https://plugins.example/sample/carrel.yaml",
  );
  assert.match(update.err, /1\.0\.0 → 2\.0\.0/);
  assert.match(
    update.err,
    /\+ Read the environment variable HOME\n  - net:old\.example:443\n  ~ memory_mb: 512 → 1024\n  \+ Read files of every type\n  - Make exports of the format old/,
  );
  assert.match(update.err, /granted, as before/);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, {
    decision: "grant",
    grants: ["net:arxiv.org:443"],
  });
  const nobody = await t.carrel(["plugin", "update", "import.sample"]);
  assert.equal(nobody.exit, EXIT.consent);
  assert.match(nobody.err, /The version before stays/);
  const other = await t.carrel(["plugin", "update", "import.other"]);
  assert.match(other.err, /that is another plugin, import\.sample/);
});

Deno.test("carrel plugin consent lists what waits, decides it for a time, and refuses it", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["plugin", "consent"])).out, /Nothing waits/);
  t.host.waiting = [CONSENT];
  assert.match((await t.carrel(["plugin", "consent"])).out, /consent_1 +import\.sample +install/);
  const yes = ["--yes", "--allow-env=HOME"];
  for (
    const [time, holds] of [
      ["once", { duration: "once" }],
      ["job", { duration: "job" }],
      ["2099-01-02", { duration: "until", until: "2099-01-02T00:00:00.000Z" }],
    ] as const
  ) {
    await t.carrel(["plugin", "consent", "import.sample", ...yes, "--for", time]);
    assert.deepEqual(t.host.last("POST", /consents/)!.body, {
      decision: "grant",
      grants: ["env:HOME"],
      ...holds,
    });
  }
  const soon = await t.carrel(["plugin", "consent", "import.sample", ...yes, "--for", "soon"]);
  assert.equal(soon.exit, EXIT.usage);
  await t.carrel(["plugin", "consent", "consent_1", "--deny"]);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, { decision: "deny", grants: [] });
  assert.match((await t.carrel(["plugin", "consent", "import.other"])).out, /Nothing waits/);
});

Deno.test("carrel plugin config shows, sets and unsets, and asks where a setting leads elsewhere", async () => {
  await using t = await setup();
  assert.match(
    (await t.carrel(["plugin", "config", "import.sample"])).out,
    /depth = 3\nbase is not set  where it is\nlimit memory_mb = 512/,
  );
  await t.carrel(["plugin", "config", "import.sample", "--unset-limit", "memory_mb"]);
  assert.deepEqual(t.host.last("PUT", /config/)!.body, { limits: { memory_mb: null } });
  const set = ["plugin", "config", "import.sample", "key=${MODEL_KEY}", "size=5"];
  await t.carrel([...set, "--unset", "depth", "--limit", "memory_mb=1024", "--auto-update", "on"]);
  assert.deepEqual(t.host.last("PUT", /config/)!.body, {
    config: { key: "${MODEL_KEY}", size: 5 },
    limits: { memory_mb: 1024 },
    auto_update: true,
  });
  const [net] = CONSENT.permissions;
  const place = { host: "127.0.0.1", port: 11434, addresses: ["127.0.0.1"] };
  t.host.configConsent = {
    ...CONSENT,
    kind: "setting",
    permissions: [{ ...net!, key: "net:${config.base}", value: "${config.base}", place }],
  };
  const nobody = await t.carrel([...set]);
  assert.equal(nobody.exit, EXIT.consent);
  assert.match(nobody.err, /Nothing is granted/);
  assert.equal(t.host.last("POST", /consents/), undefined, "it goes on waiting");
  await t.carrel([...set, "--yes", "--allow-net=127.0.0.1:11434"]);
  assert.deepEqual((t.host.last("POST", /consents/)!.body as { grants: string[] }).grants, [
    "net:${config.base}",
  ]);
});

Deno.test("carrel plugin rolls back, tightens, audits and shows what is available", async () => {
  await using t = await setup();
  assert.match((await t.carrel(["plugin", "rollback", "import.sample"])).out, /back at 0\.9\.0/);
  assert.match(
    (await t.carrel(["plugin", "versions", "import.sample"])).out,
    /● +1\.0\.0 +enabled/,
  );
  const tighten = await t.carrel(["plugin", "tighten", "import.sample", "--dry-run"]);
  assert.match(tighten.out, /would be denied:\n  net:arxiv\.org:443/);
  const audit = await t.carrel(["plugin", "audit", "import.sample"]);
  assert.match(audit.out, /plugin\.installed[\s\S]*env:HOME +granted +never used/);
  assert.match((await t.carrel(["plugin", "audit", "--verify"])).out, /7 rows, none changed/);
  t.host.verification = {
    ok: false,
    rows: 7,
    problems: [{ seq: 3, code: "changed", what: "row 3 was changed" }],
    problem_count: 1,
    unvouched: 0,
  };
  const broken = await t.carrel(["plugin", "audit", "--verify"]);
  assert.equal(broken.exit, EXIT.failed);
  assert.match(broken.out, /1 problem in 7 rows:\n  row 3: row 3 was changed/);
  const available = await t.carrel(["plugin", "available"]);
  assert.match(available.out, /import\.more +1\.2\.0 +unverified +Imports more/);
  assert.match(available.err, /the network is away/);
});

Deno.test("carrel plugin disable, revoke and tighten say what becomes of what is under way", async () => {
  await using t = await setup();
  const off = await t.carrel(["plugin", "disable", "import.sample"]);
  assert.match(off.err, /has ended\. Its jobs are held until: carrel plugin enable import\.sample/);
  for (const args of [["revoke", "import.sample", "net:arxiv.org"], ["tighten", "import.sample"]]) {
    const { err } = await t.carrel(["plugin", ...args]);
    assert.match(err, /Its runners have ended\. Jobs that were at work in one begin that stage/);
  }
  const info = await t.carrel(["plugin", "info", "import.sample"]);
  assert.match(info.out, /It may:[\s\S]*\n {10}net:arxiv\.org:443\n/);
});

Deno.test("carrel plugin enable says that a plugin stays off in safe mode", async () => {
  await using t = await setup();
  t.host.safeMode = true;
  const { exit, out, err } = await t.carrel(["plugin", "enable", "import.sample"]);
  assert.equal(exit, EXIT.failed);
  assert.match(out, /import\.sample is still off/);
  assert.match(err, /when Carrel is started without --safe-mode/);
});

Deno.test("carrel plugin config says when a setting leads where the plugin may not go", async () => {
  await using t = await setup();
  const [net] = CONSENT.permissions;
  const place = { host: "nas.local", port: 8080, addresses: [] };
  t.host.configured = {
    ...PLUGIN,
    permissions: [{ ...net!, key: "net:${config.base}", value: "${config.base}", place }],
  };
  const set = ["plugin", "config", "import.sample", "base=http://nas.local:8080"];
  assert.match((await t.carrel(set)).err, /may not reach nas\.local:8080: that was not granted/);
  assert.doesNotMatch(
    (await t.carrel(["plugin", "config", "import.sample", "depth=4"])).err,
    /reach/,
  );
});

Deno.test("carrel plugin uninstall asks about the data that a plugin keeps", async () => {
  await using t = await setup();
  const [net] = CONSENT.permissions;
  t.host.plugins.push({
    ...PLUGIN,
    id: "import.keeper",
    permissions: [{ ...net!, permission: "write", value: "${data}", key: "write:${data}" }],
  });
  const uninstall = async (...args: string[]) => {
    const answers = ["y"];
    await t.carrel(["plugin", "uninstall", ...args], { terminal: true, answers });
    return t.host.last("DELETE", /plugins/)!.query["delete_data"];
  };
  assert.equal(await uninstall("import.keeper"), "true");
  assert.equal(await uninstall("import.keeper", "--keep-data"), undefined);
  assert.equal(await uninstall("import.sample"), undefined);
  assert.equal(await uninstall("import.sample", "--delete-data"), "true");
});

Deno.test("carrel plugin install ends at once when it is interrupted at a question, and installs nothing", async () => {
  await using t = await setup();
  const io = testIo({ terminal: true, env: { CARREL_TOKEN: TOKEN, NO_COLOR: "1" } });
  // Nobody answers any more.
  const never = { ...io, ask: () => (io.interrupt(), new Promise<never>(() => {})) };
  const { exit, err } = await carrel(["plugin", "install", "x", "--url", t.host.url], {}, never);
  assert.equal(exit, EXIT.interrupted);
  assert.match(err, /\n✗ Interrupted: import\.sample is not installed\.\n/);
  assert.deepEqual(t.host.last("POST", /consents/)!.body, { decision: "deny", grants: [] });
});

Deno.test("carrel plugin install says how to grant later what was not granted now", async () => {
  await using t = await setup();
  const { err } = await t.carrel(["plugin", "install", "x", "--yes", "--allow-env=HOME"]);
  assert.match(err, /To grant it later: carrel plugin consent import\.sample/);
});
