// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "../errors.ts";
import { run } from "../program.ts";
import { carrel, ownHost, setup } from "../testing/carrel.ts";
import { testIo } from "../testing/io.ts";

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

Deno.test("carrel serve says how to get another token when the library has an admin", async () => {
  await using t = await setup();
  const own = ownHost(t.host);
  own.end();
  const { out } = await carrel(["serve", "--data", t.folder], own);
  assert.match(out, /carrel token create --name me --role admin/);
});

Deno.test("carrel serve says what to do when it cannot start", async () => {
  await using t = await setup();
  const fails = (code: string, message: string) => ({
    startHost: () => Promise.reject(Object.assign(new Error(message), { code })),
  });
  const args = ["serve", "--data", t.folder];
  const taken = await carrel(args, fails("conflict", "the port is taken."));
  assert.match(taken.err, /→ .*--port 0/);
  const starting = await carrel(args, fails("locked", "locked"));
  assert.equal(starting.exit, EXIT.unreachable);
  assert.match(starting.err, /another process is just starting or ending/);
  await Deno.writeTextFile(
    join(t.folder, "host.json"),
    JSON.stringify({ pid: 4711, url: t.host.url, port: 1, token: "x", started: "now" }),
  );
  const locked = await carrel(args, fails("locked", "locked"));
  assert.match(locked.err, /process 4711 at http:\/\/127[\s\S]*carrel doctor\n[\s\S]*kill 4711/);
  const readOnly = await carrel(args, {
    startHost: () => Promise.reject(new Deno.errors.PermissionDenied("os error 13")),
  });
  assert.match(readOnly.err, /you may not write there\. \(data_folder\)\n  → .*--data FOLDER/);
});
