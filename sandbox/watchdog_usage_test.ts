import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createReader, parsePs } from "./watchdog_usage.ts";

/** Runs code in a process that has a child of its own, until its input ends. */
function spawn(code: string): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--quiet", "--no-config", code],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
}

const PARENT = `
  const child = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
  globalThis.kept = new Uint8Array(64 << 20).fill(1);
  const end = performance.now() + 60_000;
  for (let used = process.cpuUsage(); used.user < 100_000 && performance.now() < end;) used = process.cpuUsage();
  console.log(child.pid);
  for await (const _ of Deno.stdin.readable);
  child.kill("SIGKILL");
  await child.status;
`;

Deno.test({
  name: "createReader() reads the memory, time and children of a process",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const process = spawn(PARENT);
    const lines = process.stdout.getReader();
    const child = Number(new TextDecoder().decode((await lines.read()).value));
    const reader = createReader();
    const gone = 2 ** 22 - 3; // above every default of pid_max: nobody's
    const usages = reader.read([process.pid, gone]);
    const usage = usages.get(process.pid)!;
    strictEqual(usages.size, 1);
    deepStrictEqual(usage.tree, [child]);
    ok(usage.memory > 64 << 20 && usage.memory < 300 << 20, `${usage.memory}`);
    ok(usage.cpu >= 0.05 && usage.cpu < 60, `${usage.cpu}`);
    ok(usage.disk >= 0);
    strictEqual(reader.read([process.pid]).get(process.pid)?.start, usage.start);
    await process.stdin.close();
    await lines.cancel();
    await process.status;
    strictEqual(reader.read([process.pid]).size, 0);
  },
});

Deno.test("createReader() reads itself through ps", { ignore: !hasPs() }, () => {
  const usage = createReader("darwin").read([Deno.pid]).get(Deno.pid);
  ok(usage && usage.memory > 0 && usage.start.length > 0);
  strictEqual(createReader("darwin").read([]).size, 0);
});

Deno.test("parsePs() reads resident memory, time and start", () => {
  const usages = parsePs(`  501  51200   0:01.50 Mon Jan  5 10:00:00 2026
 502 204800 1-02:03:04 Mon Jan  5 10:00:01 2026
nonsense
`);
  const start = "Mon Jan  5 10:00:00 2026";
  deepStrictEqual(usages.get(501), {
    memory: 15 * 1024 * 1024,
    cpu: 1.5,
    disk: 0,
    start,
    tree: [],
  });
  strictEqual(usages.get(502)?.cpu, 86400 + 2 * 3600 + 3 * 60 + 4);
  strictEqual(usages.size, 2);
});

function hasPs(): boolean {
  try {
    return new Deno.Command("ps", { stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
