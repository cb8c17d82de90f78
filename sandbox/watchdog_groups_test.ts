import { ok, strictEqual } from "node:assert/strict";
import { findCgroupHome } from "./cgroup.ts";
import { createGroups } from "./watchdog_groups.ts";

const home = findCgroupHome();
const ignore = "reason" in home;

/** Groups of this process. */
function mine(): number {
  if ("reason" in home) return 0;
  return [...Deno.readDirSync(home.folder)]
    .filter(({ name }) => name.startsWith(`carrel-${Deno.pid}-`)).length;
}

function cat(): Deno.ChildProcess {
  return new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
}

Deno.test({
  name:
    "createGroups() makes a group for a process that lives on, and removes it when that is gone",
  ignore,
  fn: async () => {
    if ("reason" in home) return;
    const groups = createGroups();
    const process = cat();
    groups.watch(process.pid, home, 256 * 1024 * 1024);
    groups.look(process.pid, []);
    strictEqual(mine(), 0);
    for (let i = 0; i < 5; i++) groups.look(process.pid, []);
    strictEqual(mine(), 1);
    const joined = () => /carrel-/.test(Deno.readTextFileSync(`/proc/${process.pid}/cgroup`));
    const deadline = Date.now() + 10_000;
    while (!joined()) {
      ok(Date.now() < deadline);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Still in use: it is tried again.
    strictEqual(groups.forget(process.pid), undefined);
    strictEqual(groups.leaving, 1);
    await process.stdin.close();
    await process.status;
    groups.tidy();
    strictEqual(groups.leaving, 0);
    strictEqual(mine(), 0);
  },
});

Deno.test({
  name: "createGroups() makes none for a process that is soon gone",
  ignore,
  fn: () => {
    if ("reason" in home) return;
    const groups = createGroups();
    groups.watch(1, home, 1024 * 1024 * 1024);
    strictEqual(groups.forget(1), undefined);
    groups.look(1, []);
    strictEqual(mine(), 0);
  },
});

Deno.test("createGroups() goes without where none can be made", () => {
  const groups = createGroups();
  groups.watch(1, { version: 1, folder: "/nowhere" }, 1);
  for (let i = 0; i < 5; i++) groups.look(1, []);
  strictEqual(groups.forget(1), undefined);
  strictEqual(groups.leaving, 0);
});
