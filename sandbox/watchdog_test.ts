import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { createWatchdog, type Kill, type Watchdog } from "./watchdog.ts";

const MANY = { memory: 2 ** 40, cpu: 1e6, disk: 2 ** 40 };

async function withWatchdog(
  body: (watchdog: Watchdog, spawn: (code: string) => Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const denoDir = await Deno.makeTempDir({ prefix: "carrel-watchdog-" });
  const children: Deno.ChildProcess[] = [];
  try {
    await using watchdog = createWatchdog({
      deno: Deno.execPath(),
      assets: import.meta.dirname!,
      denoDir,
    });
    await body(watchdog, (code) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["eval", "--quiet", "--no-config", code],
        stdout: "null",
      }).spawn();
      children.push(child);
      return child;
    });
  } finally {
    for (const child of children) {
      try {
        child.kill("SIGKILL");
      } catch {
        // gone, as it should be
      }
      await child.status;
    }
    await Deno.remove(denoDir, { recursive: true });
  }
}

const WAIT = "setInterval(() => {}, 1000)";
const BURN = "for (;;);";
const EAT = "const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1));";

Deno.test("createWatchdog() kills a process that uses too much memory and says how much", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(EAT);
    const killed = Promise.withResolvers<Kill>();
    const watch = watchdog.watch(child.pid, { ...MANY, memory: 100 << 20 }, killed.resolve);
    const { what, figure } = await killed.promise;
    strictEqual(what, "memory");
    ok(figure > 100 << 20, `${figure}`);
    strictEqual((await child.status).signal, "SIGKILL");
    deepStrictEqual(await watch.stop(), { what, figure });
  }));

Deno.test("createWatchdog() kills a process that uses too much processor time", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(BURN);
    const killed = Promise.withResolvers<Kill>();
    const watch = watchdog.watch(child.pid, { ...MANY, cpu: 0.3 }, killed.resolve);
    watch.rearm();
    const { what, figure } = await killed.promise;
    strictEqual(what, "cpu");
    ok(figure > 0.3);
    await child.status;
    await watch.stop();
  }));

Deno.test("createWatchdog() leaves alone a process that is no longer watched", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(WAIT);
    const watch = watchdog.watch(child.pid, { ...MANY, memory: 1 << 30 }, () => {});
    strictEqual(await watch.stop(), undefined);
    strictEqual(await watch.stop(), undefined);
    child.kill("SIGTERM");
    strictEqual((await child.status).signal, "SIGTERM");
  }));

Deno.test("createWatchdog() starts again and watches on when it is killed", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(BURN);
    const killed = Promise.withResolvers<Kill>();
    watchdog.watch(child.pid, { ...MANY, cpu: 0.5 }, killed.resolve);
    const first = watchdog.pid!;
    Deno.kill(first, "SIGKILL");
    strictEqual((await killed.promise).what, "cpu");
    ok(watchdog.pid !== first);
  }));

Deno.test("createWatchdog() replaces a watchdog that does not answer", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(WAIT);
    const watch = watchdog.watch(child.pid, MANY, () => {});
    Deno.kill(watchdog.pid!, "SIGSTOP");
    strictEqual(await watch.stop(), undefined);
    await watchdog.ready();
  }));

Deno.test("createWatchdog() kills what it watches when it is disposed", () =>
  withWatchdog(async (watchdog, spawn) => {
    await watchdog.ready();
    const child = spawn(WAIT);
    const watch = watchdog.watch(child.pid, MANY, () => {});
    await watchdog[Symbol.asyncDispose]();
    strictEqual((await child.status).signal, "SIGKILL");
    strictEqual(await watch.stop(), undefined);
    await rejects(watchdog.ready(), /disposed/);
  }));

Deno.test("createWatchdog() throws when its process does not start", async () => {
  const options = { deno: Deno.execPath(), assets: "/nowhere", denoDir: "/nowhere" };
  await using watchdog = createWatchdog(options);
  await rejects(watchdog.ready(), /Cannot start the watchdog/);
});
