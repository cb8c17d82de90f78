import assert from "node:assert/strict";
import { lockDataFolder } from "./lock.ts";

Deno.test("lockDataFolder() lets one host in, and the next when it has left", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const data = `${dir}/new/data`;
    {
      await using _first = await lockDataFolder(data);
      await assert.rejects(lockDataFolder(data), { code: "locked" });
    }
    await using _second = await lockDataFolder(data);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("lockDataFolder() takes over from a host that was killed", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const program = `
      import { lockDataFolder } from ${JSON.stringify(new URL("./lock.ts", import.meta.url).href)};
      await lockDataFolder(${JSON.stringify(dir)});
      console.log("locked");
      setInterval(() => {}, 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "-"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
    const output = child.stdout.getReader();
    assert.match(new TextDecoder().decode((await output.read()).value), /locked/);
    await assert.rejects(lockDataFolder(dir), { code: "locked" });
    child.kill("SIGKILL");
    await child.status;
    await output.cancel();
    await using _mine = await lockDataFolder(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
