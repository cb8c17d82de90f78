import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { bwrapArgs, type BwrapPaths, sharesNetwork } from "./bwrap.ts";
import { type Grants, NO_GRANTS } from "./types.ts";

const PATHS: BwrapPaths = {
  deno: "/opt/deno",
  assets: "/app/sandbox",
  bundle: "/data/b.js",
  denoDir: "/data/deno",
  socketFolder: "/tmp/cr-1",
  writes: ["/data/record"],
};
const grants = (some: Partial<Grants>): Grants => ({ ...NO_GRANTS, ...some });
const args = (some: Partial<Grants>, there: readonly string[] = []) =>
  bwrapArgs(grants(some), PATHS, (path) => there.includes(path));
/** `--bind /a` as `[--bind, /a]`. */
const binds = (list: readonly string[]) =>
  list.flatMap((arg, i) => /^--(ro-)?bind/.test(arg) ? [[arg, list[i + 1]!]] : []);

Deno.test("bwrapArgs() shows just what a runner needs when nothing is granted", () => {
  const list = args({});
  ok(list.includes("--unshare-all") && list.includes("--die-with-parent"));
  ok(!list.includes("--share-net"));
  deepStrictEqual(binds(list).filter(([, path]) => !/^\/(usr|lib)/.test(path!)), [
    ["--ro-bind", "/opt/deno"],
    ["--ro-bind", "/app/sandbox"],
    ["--ro-bind", "/data/b.js"],
    ["--bind", "/data/deno"],
    ["--ro-bind", "/tmp/cr-1"],
    ["--bind", "/data/record"],
  ]);
  strictEqual(list.at(-1), "--");
});

Deno.test("bwrapArgs() shares the network only when something of it is granted", () => {
  const granted: Partial<Grants>[] = [
    { net: ["example.com:443"] },
    { netPublic: true },
    { private: [{ host: "nas.lan", port: 80, addresses: ["10.0.0.2"] }] },
  ];
  for (const some of granted) {
    ok(sharesNetwork(grants(some)));
    ok(args(some).includes("--share-net"));
    ok(binds(args(some)).some(([, path]) => path === "/etc/resolv.conf"));
  }
  ok(!binds(args({ read: ["/in"] })).some(([, path]) => path!.startsWith("/etc")));
});

Deno.test("bwrapArgs() binds what is granted, outer folders first, and its own things over them", () => {
  const list = binds(args({ read: ["/in/deep/er", "/in"], write: ["/in/deep", "/tmp"] }, [
    "/in/deep",
    "/tmp",
  ]));
  const from = list.findIndex(([, path]) => path === "/in");
  deepStrictEqual(list.slice(from, from + 4), [
    ["--ro-bind-try", "/in"],
    ["--bind-try", "/tmp"],
    ["--bind-try", "/in/deep"],
    ["--ro-bind-try", "/in/deep/er"],
  ]);
  ok(list.findIndex(([, path]) => path === "/tmp/cr-1") > from + 3);
});

Deno.test("bwrapArgs() shows the folder of a file that a plugin may make", () => {
  const list = binds(args({ write: ["/out/new.txt"] }));
  ok(list.some(([how, path]) => how === "--bind-try" && path === "/out"));
});

Deno.test("bwrapArgs() keeps the runner's own /proc and /dev whatever is granted", () => {
  const list = binds(
    args({ read: ["/proc", "/proc/1", "//proc", "/dev//mem", "/sys"], write: ["/new"] }),
  );
  ok(!list.some(([, path]) => /^\/+(proc|dev|sys)|^\/$/.test(path!)), Deno.inspect(list));
});
