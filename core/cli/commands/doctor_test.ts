import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { carrel, ownHost, setup } from "../testing/carrel.ts";

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
  assert.match(none.out, /✓ watchdog: memory +works: [\s\S]*✓ deny-net +works: /);
  assert.match(none.out, /[✓-] bwrap: files +(works|absent): [\s\S]*cgroup +(works|absent): /);
  const failing = await carrel(["doctor", "--json", "--data", t.folder], {
    startHost: () => Promise.reject(new Error("no disk")),
  });
  assert.match(JSON.stringify(JSON.parse(failing.out).checks), /no disk/);
});
