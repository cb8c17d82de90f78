import assert from "node:assert/strict";
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
