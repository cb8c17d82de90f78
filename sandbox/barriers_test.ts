import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { DATA_BASE, enclose, findBarriers, memoryLimit, NO_BARRIERS } from "./barriers.ts";
import { DEFAULT_LIMITS, NO_GRANTS, type TrustLevel } from "./types.ts";

const options = (trust: TrustLevel) => ({
  grants: NO_GRANTS,
  limits: DEFAULT_LIMITS,
  trust,
  paths: {
    deno: "/deno",
    assets: "/app",
    bundle: "/b.js",
    denoDir: "/d",
    socketFolder: "/tmp/s",
  },
});
const BWRAP = { ...NO_BARRIERS, bwrap: { state: "works", reason: "", program: "/bwrap" } } as const;
const LIMIT = { ...NO_BARRIERS, prlimit: { state: "works", reason: "" } } as const;

Deno.test("enclose() leaves a command as it is where there are no barriers", () => {
  deepStrictEqual(enclose(["run", "x"], options("sandboxed"), NO_BARRIERS), {
    program: "/deno",
    args: ["run", "x"],
    shelled: false,
  });
});

Deno.test("enclose() puts bwrap around sandboxed plugins only", () => {
  const sandboxed = enclose(["run"], options("sandboxed"), BWRAP);
  strictEqual(sandboxed.program, "/bwrap");
  deepStrictEqual(sandboxed.args.slice(-3), ["--", "/deno", "run"]);
  strictEqual(sandboxed.shelled, true);
  for (const trust of ["restricted", "trusted"] as const) {
    strictEqual(enclose(["run"], options(trust), BWRAP).program, "/deno");
  }
});

Deno.test("enclose() gives one that may start programs a process namespace, and all else as it is", () => {
  const grants = { ...NO_GRANTS, run: ["/bin/sh"] };
  const { program, args, shelled } = enclose(["run"], { ...options("trusted"), grants }, BWRAP);
  deepStrictEqual([program, shelled], ["/bwrap", true]);
  deepStrictEqual(args.slice(-3), ["--", "/deno", "run"]);
  ok(args.includes("--unshare-pid") && args.includes("--die-with-parent"));
  ok(!args.includes("--unshare-all"));
  strictEqual(enclose(["run"], { ...options("trusted"), grants }, NO_BARRIERS).program, "/deno");
});

Deno.test("enclose() sets the limit on data above the watchdog's, around bwrap", () => {
  const { program, args } = enclose(["run"], options("sandboxed"), {
    ...BWRAP,
    ...LIMIT,
    bwrap: BWRAP.bwrap,
  });
  strictEqual(program, "/bin/sh");
  const kib = (memoryLimit(DEFAULT_LIMITS) + DATA_BASE) / 1024;
  ok(args[1]!.startsWith(`ulimit -d ${kib} `), args[1]);
  strictEqual(args[3], "/bwrap");
});

Deno.test("findBarriers() says of each why it is not used", async () => {
  const watchdog = { cgroups: () => Promise.resolve({ state: "absent", reason: "none" } as const) };
  const none = await findBarriers("/nowhere/deno", watchdog);
  for (const { state, reason } of [none.bwrap, none.prlimit]) {
    ok(state === "absent" || state === "broken");
    ok(reason.length > 0);
  }
  const off = await findBarriers("/nowhere/deno", watchdog, {
    bwrap: false,
    prlimit: false,
    cgroup: false,
  });
  deepStrictEqual([off.bwrap.state, off.prlimit.state, off.cgroup.state], ["off", "off", "off"]);
});
