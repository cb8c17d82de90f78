import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { AuditTail, type AuditTailOptions } from "./audit_tail.ts";
import { createUses, judgeByGrants } from "./audit_use.ts";
import { NO_BARRIERS } from "./barriers.ts";
import { startRunner } from "./runner.ts";
import { CHILD_FILES } from "./runner_process.ts";
import { DEFAULT_LIMITS, type Grants, NO_GRANTS } from "./types.ts";
import { createWatchdog } from "./watchdog.ts";

const OWN = { files: [], bundle: "/b/x.js", socket: "/tmp/cr-1/s" };
/** The tests tick by hand. */
const NEVER = { intervalMs: 1e9 };

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-tail-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const open = (path: string, options: AuditTailOptions = {}, grants: Partial<Grants> = {}) =>
  new AuditTail(path, createUses(judgeByGrants({ ...NO_GRANTS, ...grants }, OWN)), {
    ...NEVER,
    ...options,
  });

const line = (value: string, permission = "read") =>
  `${JSON.stringify({ v: 1, datetime: "2026-01-01T00:00:00Z", permission, value })}\n`;

/** What Deno does: one descriptor, no `O_APPEND`. */
function openWriter(path: string) {
  const file = Deno.openSync(path, { write: true, truncate: true });
  return {
    write(text: string): void {
      const bytes = new TextEncoder().encode(text);
      for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
    },
    [Symbol.dispose]: () => file.close(),
  };
}

const counts = (tail: AuditTail) =>
  Object.fromEntries(tail.summary().uses.map(({ value, count }) => [value, count]));

Deno.test("AuditTail counts what comes, in pieces or at once", () =>
  withFolder(async (dir) => {
    await using tail = open(`${dir}/a`);
    using writer = openWriter(`${dir}/a`);
    tail.tick();
    deepStrictEqual(counts(tail), {});
    writer.write(line("/a") + line("/b") + line("/a").slice(0, 20));
    tail.tick();
    deepStrictEqual(counts(tail), { "/a": 1, "/b": 1 });
    writer.write(line("/a").slice(20) + line("/世界"));
    tail.tick();
    tail.tick();
    writer.write(line("/b").trimEnd());
    const { truncated, unknown } = await tail.finish();
    deepStrictEqual(counts(tail), { "/a": 2, "/b": 2, "/世界": 1 });
    deepStrictEqual([truncated, unknown], [false, 0]);
  }));

Deno.test("AuditTail reads so many bytes a tick, skips the rest and says so", () =>
  withFolder(async (dir) => {
    await using tail = open(`${dir}/a`, { maxBytes: 1000 });
    using writer = openWriter(`${dir}/a`);
    writer.write(line("/flood").repeat(500));
    tail.tick();
    const seen = counts(tail)["/flood"]!;
    ok(seen > 5 && seen < 20, `${seen}`);
    strictEqual(tail.summary().truncated, true);
    // It goes on behind the flood, at the next whole line.
    writer.write(line("/lost") + line("/after"));
    tail.tick();
    deepStrictEqual(counts(tail), { "/flood": seen, "/after": 1 });
    strictEqual(tail.summary().unknown, 0);
  }));

Deno.test("AuditTail empties the file, and reads on at the writer's old position", () =>
  withFolder(async (dir) => {
    const path = `${dir}/a`;
    await using tail = open(path, { keepBytes: 4096 });
    using writer = openWriter(path);
    for (let turn = 1; turn <= 100; turn++) {
      writer.write(line(`/${"x".repeat(80)}`).repeat(20));
      tail.tick();
    }
    writer.write(line("/last"));
    const { size, blocks } = await Deno.stat(path);
    ok(size > 100_000, `${size}`);
    // Where the file system knows holes at all.
    if (blocks !== null && blocks * 512 < size) ok(blocks * 512 < 32_768, `${blocks} blocks`);
    deepStrictEqual(Object.values(counts(tail)), [2000]);
    deepStrictEqual([tail.summary().truncated, tail.summary().unknown], [false, 0]);
  }));

Deno.test("AuditTail says so when lines were lost in a cut", () =>
  withFolder(async (dir) => {
    const path = `${dir}/a`;
    await using tail = open(path);
    using writer = openWriter(path);
    writer.write(line("/a"));
    tail.tick();
    writer.write(line("/lost").repeat(3));
    Deno.truncateSync(path, 0);
    writer.write(line("/b"));
    tail.tick();
    deepStrictEqual(counts(tail), { "/a": 1, "/b": 1 });
    deepStrictEqual([tail.summary().truncated, tail.summary().unknown], [true, 0]);
  }));

Deno.test("AuditTail keeps of an endless line its beginning, and counts what it does not know", () =>
  withFolder(async (dir) => {
    await using tail = open(`${dir}/a`);
    using writer = openWriter(`${dir}/a`);
    const long = `/${"x".repeat(100_000)}`;
    writer.write(line(long) + "nonsense\n\n" + line("/b") + line("x", "soul"));
    tail.tick();
    deepStrictEqual(counts(tail), { [`/${"x".repeat(254)}…`]: 1, "/b": 1 });
    strictEqual(tail.summary().unknown, 2);
  }));

Deno.test("AuditTail finish() removes the file, and is the last word", () =>
  withFolder(async (dir) => {
    const path = `${dir}/a`;
    const tail = open(path);
    strictEqual((await Deno.stat(path)).mode! & 0o777, 0o600);
    throws(() => open(path), Deno.errors.AlreadyExists);
    using writer = openWriter(path);
    writer.write(line("/a"));
    const summary = await tail.finish();
    deepStrictEqual(await Array.fromAsync(Deno.readDir(dir)), []);
    writer.write(line("/late"));
    tail.tick();
    strictEqual(await tail.finish(), summary);
    strictEqual(tail.summary(), summary);
    await tail[Symbol.asyncDispose]();
  }));

/** Runs a program with a tail on its record, ticking until the program ends by itself. */
async function record(
  dir: string,
  code: string,
  { flags = [], ...options }: AuditTailOptions & { flags?: string[] } = {},
) {
  await Deno.writeTextFile(`${dir}/main.ts`, code);
  await using tail = open(`${dir}/audit`, options, {
    net: ["granted.example:443"],
    read: [`${dir}/granted`],
  });
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-config", ...flags, `${dir}/main.ts`],
    env: { DENO_AUDIT_PERMISSIONS: `${dir}/audit`, DENO_NO_UPDATE_CHECK: "1" },
    stdout: "null",
  }).spawn();
  let ended = false;
  const status = child.status.finally(() => ended = true);
  let most = 0;
  while (!ended) {
    tail.tick();
    const { blocks } = await Deno.stat(`${dir}/audit`);
    most = Math.max(most, (blocks ?? 0) * 512);
    await Promise.race([status, new Promise((resolve) => setTimeout(resolve, 5))]);
  }
  strictEqual((await status).success, true);
  return { ...await tail.finish(), most };
}

Deno.test("AuditTail reads what this Deno writes, refusals included", () =>
  withFolder(async (dir) => {
    const code = `
      const quiet = async (work) => { try { await work(); } catch { /* refused */ } };
      for (let i = 0; i < 3; i++) await quiet(() => fetch("https://granted.example/?key=secret"));
      await quiet(() => fetch("https://refused.example/?key=secret"));
      await quiet(() => Deno.readTextFileSync("${dir}/granted/x"));
      await quiet(() => Deno.readTextFileSync("/etc/passwd"));
      await quiet(() => Deno.env.get("TOKEN"));
      await quiet(() => new Deno.Command("sh").outputSync());
      await quiet(() => import("https://" + "code.example/x.ts"));
    `;
    const flags = ["--allow-net=granted.example:443", `--allow-read=${dir}/granted`];
    const { uses, truncated, unknown } = await record(dir, code, { flags });
    deepStrictEqual(
      uses.map(({ permission, value, granted, count }) => [permission, value, granted, count])
        .filter(([permission]) => permission !== "run"),
      [
        ["net", "granted.example:443", true, 3],
        ["read", `${dir}/granted`, true, 1],
        ["net", "refused.example:443", false, 1],
        ["read", "/etc/passwd", false, 1],
        ["env", "TOKEN", false, 1],
        ["import", "code.example:443", false, 1],
      ],
    );
    deepStrictEqual([truncated, unknown], [false, 0]);
  }));

Deno.test("AuditTail stands a program that floods its record, on little disk", () =>
  withFolder(async (dir) => {
    const code = `
      try { Deno.readTextFileSync("/etc/passwd"); } catch { /* refused */ }
      const value = "/" + "x".repeat(400);
      for (let i = 0; i < 60_000; i++) {
        try { Deno.readTextFileSync(value + i % 1000); } catch { /* refused */ }
      }
    `;
    const { uses, truncated, unknown, most } = await record(dir, code, { maxBytes: 64 * 1024 });
    strictEqual(truncated, true);
    strictEqual(unknown, 0);
    ok(uses.length <= 102, `${uses.length} values`);
    ok(uses.some(({ value }) => value === "/etc/passwd"));
    // It has written 29 MB; on a machine at work some of it may pile up between two ticks.
    ok(most < 25 * 1024 * 1024, `${most} bytes on disk`);
  }));

Deno.test("judgeByGrants() leaves nothing of a real runner's start, and all that its guest asks for", () =>
  withFolder(async (dir) => {
    // The runner starts what it is told is Deno: here one that keeps a record.
    const deno = `${dir}/deno`;
    const script = `#!/bin/sh\nexport DENO_AUDIT_PERMISSIONS='${dir}/audit'\n` +
      `exec '${Deno.execPath()}' "$@"\n`;
    await Deno.writeTextFile(deno, script, { mode: 0o700 });
    const bundle = `${dir}/bundle.js`;
    await Deno.writeTextFile(
      bundle,
      `export default { kind: "import", methods: { extract() {
        try { Deno.readTextFileSync("/etc/passwd"); } catch { /* refused */ }
        return null;
      } } };`,
    );
    const grants = { ...NO_GRANTS, net: ["a.example:443"], env: ["HOME"], read: ["/granted"] };
    const assets = import.meta.dirname!;
    await using watchdog = createWatchdog({ deno: Deno.execPath(), assets, denoDir: `${dir}/w` });
    const files = CHILD_FILES.map((file) => `${assets}/${file}`);
    const judge = judgeByGrants(grants, { files, bundle, socket: "/socket" });
    const seen: string[] = [];
    const uses = createUses((permission, value) => {
      // Which socket it gets nobody knows before.
      const judged = judge(
        permission,
        value?.replace(/(?:\/[^/]+)*\/cr-[^/]+\/s$/, "/socket") ?? null,
      );
      if (judged !== undefined) seen.push(`${permission} ${judged.value}`);
      return judged;
    });
    const tail = new AuditTail(`${dir}/audit`, uses, NEVER);
    const runner = await startRunner({
      plugin: "import.test",
      version: "1.0.0",
      digest: "0",
      bundle,
      grants,
      config: {},
      trust: "sandboxed",
      limits: DEFAULT_LIMITS,
    }, {
      deno,
      assets,
      denoDir: `${dir}/d`,
      interfaces: [],
      node: false,
      watchdog,
      barriers: NO_BARRIERS,
    });
    tail.tick();
    deepStrictEqual(seen, []);
    await runner.call("extract", [], { job: { id: "job_1", idempotencyKey: "k" } });
    await runner.end("closed", "done");
    await tail.finish();
    deepStrictEqual(seen, ["read /etc/passwd"]);
  }));
