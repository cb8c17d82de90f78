// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { carrel, setup } from "../testing/carrel.ts";
import { TOKEN } from "../testing/host.ts";
import { testIo } from "../testing/io.ts";
import { PLUGIN } from "../testing/samples.ts";

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
  assert.match(list.out, /● +import\.sample +1\.0\.0 +sandboxed +net \(1 of 2\)/);
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
  assert.match(err, /later, install it again; carrel plugin info import\.sample shows/);
});
