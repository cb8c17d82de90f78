import { ok } from "node:assert/strict";
import { kill } from "node:process";

/** It burns; or it stops its own process, which then hears nothing, not even that its host is gone. */
const PLUGIN = `
const say = (ctx) => new Promise((resolve) => { ctx.progress(0); setTimeout(resolve, 100); });
export default { kind: "import", methods: {
  async loop(ctx) { await say(ctx); for (;;); },
  async run(ctx) {
    const quiet = { stdin: "null", stdout: "null", stderr: "null" };
    new Deno.Command("/bin/sh", { args: ["-c", "/bin/sleep 600; true"], detached: true, ...quiet }).spawn();
    await say(ctx);
    await new Promise(() => {});
  },
  async stop(ctx) { await say(ctx); Deno.kill(Deno.pid, "SIGSTOP"); },
} };`;

function alive(pid: number): boolean {
  try {
    return kill(pid, 0);
  } catch {
    return false;
  }
}

async function children(pid: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
    const list = await Deno.readTextFile(`/proc/${pid}/task/${name}/children`).catch(() => "");
    found.push(...list.trim().split(" ").filter(Boolean).map(Number));
  }
  return found;
}

/** All below a process. */
async function below(pid: number): Promise<number[]> {
  const found = await children(pid);
  return [...found, ...(await Promise.all(found.map(below))).flat()];
}

/** Whether it is the program that the plugin has started. */
function sleeps(pid: number): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith("/bin/sleep\0");
  } catch {
    return false;
  }
}

async function stopped(pids: readonly number[]): Promise<void> {
  const states = () => pids.map((pid) => Deno.readTextFileSync(`/proc/${pid}/status`));
  while (!states().some((state) => /^State:\s+T/m.test(state))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

for (const method of ["loop", "stop", "run"]) {
  Deno.test({
    name:
      `createPool() leaves no process behind when the host is killed while a plugin is in ${method}()`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const folder = await Deno.makeTempDir({ prefix: "carrel-stray-" });
      await Deno.writeTextFile(`${folder}/bundle.js`, PLUGIN);
      const host = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "-P=host", `${import.meta.dirname}/host_main.ts`, folder, method],
        stdin: "null",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      try {
        const lines = host.stdout.getReader();
        const runner = Number(new TextDecoder().decode((await lines.read()).value));
        // The runner and the watchdog.
        const own = await children(host.pid);
        ok(own.includes(runner) && own.length === 2, `${own}`);
        let pids = await below(host.pid);
        while (method === "run" && !pids.some(sleeps)) pids = await below(host.pid);
        if (method === "stop") await stopped([runner, ...await below(runner)]);
        host.kill("SIGKILL");
        await host.status;
        await lines.cancel();
        const deadline = Date.now() + 20_000;
        while (pids.some(alive)) {
          ok(Date.now() < deadline, `still there: ${pids.filter(alive)}`);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
