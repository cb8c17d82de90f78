import { ok, strictEqual, throws } from "node:assert/strict";
import { findCgroupHome, makeCgroup } from "./cgroup.ts";

const home = findCgroupHome();

Deno.test("findCgroupHome() says where groups can be made, or why they cannot", () => {
  if ("reason" in home) ok(home.reason.length > 0);
  else ok(Deno.statSync(home.folder).isDirectory);
});

Deno.test({
  name: "makeCgroup() makes a group that takes a process in, and removes it",
  ignore: "reason" in home,
  fn: async () => {
    if ("reason" in home) return;
    const mine = () =>
      [...Deno.readDirSync(home.folder)].filter(({ name }) =>
        name.startsWith(`carrel-${Deno.pid}-`)
      );
    const group = makeCgroup(home, 256 * 1024 * 1024);
    strictEqual(mine().length, 1);
    const process = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
    await group.join(process.pid);
    ok(/carrel-/.test(await Deno.readTextFile(`/proc/${process.pid}/cgroup`)));
    strictEqual(group.killed(), false);
    strictEqual(group.remove(), false);
    await process.stdin.close();
    await process.status;
    strictEqual(group.remove(), true);
    strictEqual(mine().length, 0);
  },
});

Deno.test("makeCgroup() throws where none can be made", () => {
  throws(() => makeCgroup({ version: 1, folder: "/nowhere" }, 1), Deno.errors.NotFound);
});
