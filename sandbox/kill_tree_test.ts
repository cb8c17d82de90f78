import { deepStrictEqual, ok } from "node:assert/strict";
import { killMarked, killTree } from "./kill_tree.ts";
import { descendants } from "./watchdog_usage.ts";

const linux = Deno.build.os === "linux";

function spawn(script: string, env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command("/bin/sh", {
    args: ["-c", script],
    env,
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
}

const isGone = (pid: number) => {
  try {
    return /^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return true;
  }
};

async function until(what: string, probe: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!probe()) {
    ok(Date.now() < deadline, what);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test({
  name: "killTree() kills what a process has started, in groups of their own too",
  ignore: !linux,
  fn: async () => {
    const root = spawn("sleep 600 & setsid sh -c 'sleep 600; true' & wait");
    await until("no children", () => descendants(root.pid).length === 3);
    const all = [root.pid, ...descendants(root.pid)];
    killTree(root.pid);
    deepStrictEqual((await root.status).signal, "SIGKILL");
    await until("they live", () => all.every(isGone));
  },
});

Deno.test({
  name: "killMarked() kills what has the variable, wherever it has gone, and nothing else",
  ignore: !linux,
  fn: async () => {
    const value = crypto.randomUUID();
    const other = spawn("sleep 600; true", { MARK: `${value}0` });
    const file = await Deno.makeTempFile();
    // The one that starts it ends: it belongs to nobody any more.
    const gone = spawn(`setsid sleep 600 & echo $! > ${file}`, { MARK: value });
    await gone.status;
    const orphan = Number(await Deno.readTextFile(file));
    ok(!isGone(orphan));
    killMarked("MARK", value);
    await until("it lives", () => isGone(orphan));
    ok(!isGone(other.pid));
    killTree(other.pid);
    await other.status;
    await Deno.remove(file);
  },
});
