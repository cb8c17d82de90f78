import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import {
  checkedNetRule,
  denyList,
  GrantError,
  processArgs,
  type RunnerPaths,
  workerPermissions,
} from "./flags.ts";
import { CLOSED_IPV4, METADATA } from "./closed_addresses.ts";
import { type Grants, NO_GRANTS } from "./types.ts";

const PATHS: RunnerPaths = {
  main: "/app/runner_main.ts",
  files: ["/app/runner_main.ts", "/app/guest.ts"],
  bundle: "/data/bundle.js",
  socket: "/tmp/cr-1/s",
  interfaces: [],
};

const grants = (some: Partial<Grants>): Grants => ({ ...NO_GRANTS, ...some });
const flag = (args: string[], name: string) =>
  args.find((arg) => arg === name || arg.startsWith(`${name}=`))?.slice(name.length + 1);

Deno.test("processArgs() gives exactly these flags when nothing is granted", () => {
  deepStrictEqual(processArgs(NO_GRANTS, PATHS), [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-remote",
    "--no-npm",
    "--cached-only",
    "--no-config",
    "--no-lock",
    "--deny-import",
    "--deny-run",
    "--deny-ffi",
    "--deny-sys",
    "--unstable-worker-options",
    "--allow-read=/app/runner_main.ts,/app/guest.ts,/data/bundle.js,/tmp/cr-1/s",
    "--allow-write=/tmp/cr-1/s",
    "--allow-net=unix:/tmp/cr-1/s",
    `--deny-net=${
      [
        ...CLOSED_IPV4.map(([block]) => block),
        ...METADATA.ipv4,
        "[0:0:0:0:0:0:0:0]",
        "[0:0:0:0:0:0:0:1]",
        "[fd00:ec2:0:0:0:0:0:254]",
        "[fd00:ec2:0:0:0:0:0:23]",
        "[fd20:ce:0:0:0:0:0:254]",
        "metadata.google.internal",
        "metadata.goog",
      ].join(",")
    }`,
    "/app/runner_main.ts",
    "/tmp/cr-1/s",
  ]);
});

Deno.test("workerPermissions() says every key, and denies when nothing is granted", () => {
  deepStrictEqual(workerPermissions(NO_GRANTS, "/data/bundle.js"), {
    read: ["/data/bundle.js"],
    write: false,
    net: false,
    env: false,
    run: false,
    ffi: false,
    sys: false,
    import: false,
  });
});

Deno.test("processArgs() and workerPermissions() agree on what is granted", () => {
  const given = grants({
    net: ["example.com:443", "*.example.org:8443"],
    read: ["/in"],
    write: ["/out"],
    env: ["TOKEN"],
  });
  const args = processArgs(given, PATHS);
  strictEqual(flag(args, "--allow-net"), "unix:/tmp/cr-1/s,example.com:443,*.example.org:8443");
  ok(flag(args, "--allow-read")?.endsWith("/tmp/cr-1/s,/in"));
  strictEqual(flag(args, "--allow-write"), "/tmp/cr-1/s,/out");
  strictEqual(flag(args, "--allow-env"), "TOKEN");
  const worker = workerPermissions(given, "/data/bundle.js");
  deepStrictEqual(worker.net, ["example.com:443", "*.example.org:8443"]);
  deepStrictEqual(worker.read, ["/data/bundle.js", "/in"]);
  deepStrictEqual(worker.write, ["/out"]);
  deepStrictEqual(worker.env, ["TOKEN"]);
});

Deno.test("processArgs() and workerPermissions() grant exactly the programs that are named", () => {
  const given = grants({ run: ["/usr/bin/ffmpeg", "/opt/tool"], write: ["/opt/tools"] });
  const args = processArgs(given, PATHS);
  strictEqual(flag(args, "--allow-run"), "/usr/bin/ffmpeg,/opt/tool");
  // It would win over what is allowed.
  ok(!args.includes("--deny-run"));
  deepStrictEqual(args.filter((arg) => arg.startsWith("--deny-")).slice(0, -1), [
    "--deny-import",
    "--deny-ffi",
    "--deny-sys",
  ]);
  deepStrictEqual(workerPermissions(given, "/b").run, ["/usr/bin/ffmpeg", "/opt/tool"]);
});

Deno.test("processArgs() throws for a program that is none, or that the plugin could change", () => {
  for (const program of ["ffmpeg", "/", "/usr/bin/", "/usr/bin/../x", "/a,/bin/sh", "/a\nb", ""]) {
    throws(() => processArgs(grants({ run: [program] }), PATHS), GrantError, program);
  }
  for (const folder of ["/opt/tool", "/opt", "/opt/", "/"]) {
    const given = grants({ run: ["/opt/tool"], write: [folder] });
    throws(() => processArgs(given, PATHS), GrantError, folder);
    throws(() => workerPermissions(given, "/b"), GrantError, folder);
  }
});

Deno.test("processArgs() doubles commas, which would part a path in two", () => {
  const args = processArgs(grants({ read: ["/a,b"] }), PATHS);
  ok(flag(args, "--allow-read")?.endsWith(",/a,,b"));
});

Deno.test("processArgs() leaves the allow list open but for private addresses when any public host is granted", () => {
  const args = processArgs(grants({ netPublic: true }), PATHS);
  ok(args.includes("--allow-net"));
  ok(flag(args, "--deny-net")?.startsWith("0.0.0.0/8,10.0.0.0/8"));
  strictEqual(workerPermissions(grants({ netPublic: true }), "/b").net, true);
});

Deno.test("processArgs() throws when a granted folder holds the socket beside any public host", () => {
  for (const folder of ["/tmp", "/tmp/", "/tmp/cr-1"]) {
    throws(() => processArgs(grants({ netPublic: true, read: [folder] }), PATHS), GrantError);
    throws(() => processArgs(grants({ netPublic: true, write: [folder] }), PATHS), GrantError);
  }
  processArgs(grants({ netPublic: true, write: ["/tmp/cr"] }), PATHS);
  processArgs(grants({ write: ["/tmp"] }), PATHS);
});

Deno.test("processArgs() throws when a private address is granted beside any public host", () => {
  const both = grants({
    netPublic: true,
    private: [{ host: "localhost", port: 80, addresses: ["127.0.0.1"] }],
  });
  throws(() => processArgs(both, PATHS), GrantError);
});

Deno.test("denyList() leaves out exactly the private addresses granted", () => {
  const list = denyList(
    grants({ private: [{ host: "nas.lan", port: 8080, addresses: ["192.168.1.20", "fd12::5"] }] }),
    { interfaces: ["192.168.1.20", "203.0.113.9", "fd12::5", "fe80::1%eth0"] },
  );
  ok(!list.includes("192.168.0.0/16"));
  ok(!list.includes("192.168.1.20"));
  ok(list.includes("192.168.1.21"));
  ok(list.includes("10.0.0.0/8"));
  ok(list.includes("203.0.113.9"));
  ok(list.includes("[fe80:0:0:0:0:0:0:1]"));
  ok(!list.some((entry) => entry.includes("fd12")));
});

Deno.test("denyList() reads an IPv4 address in IPv6 clothes as IPv4", () => {
  const list = denyList(
    grants({ private: [{ host: "x.lan", port: 80, addresses: ["::ffff:127.0.0.1"] }] }),
    { interfaces: [] },
  );
  ok(!list.includes("127.0.0.0/8"));
  ok(list.includes("127.0.0.0"));
});

Deno.test("denyList() keeps cloud metadata when it is granted", () => {
  const addresses = [...METADATA.ipv4, ...METADATA.ipv6];
  const list = denyList(grants({ private: [{ host: "x.lan", port: 80, addresses }] }), {
    interfaces: [],
  });
  for (const address of METADATA.ipv4) ok(list.includes(address), address);
  ok(list.includes("[fd00:ec2:0:0:0:0:0:254]"));
  ok(list.includes("169.254.0.0/16"));
});

Deno.test("processArgs() grants a private address by name, by IPv4 and by IPv6", () => {
  const rule = (host: string) =>
    flag(
      processArgs(
        grants({ private: [{ host, port: 80, addresses: ["127.0.0.1", "::1"] }] }),
        PATHS,
      ),
      "--allow-net",
    );
  strictEqual(rule("localhost"), "unix:/tmp/cr-1/s,localhost:80");
  strictEqual(rule("127.0.0.1"), "unix:/tmp/cr-1/s,127.0.0.1:80");
  strictEqual(rule("::1"), "unix:/tmp/cr-1/s,[0:0:0:0:0:0:0:1]:80");
});

Deno.test("processArgs() throws when what is granted is closed to all", () => {
  for (const net of ["10.1.2.3:80", "169.254.169.254:80", "metadata.google.internal:80"]) {
    throws(() => processArgs(grants({ net: [net] }), PATHS), /closed to all plugins/);
  }
  const api = { ...PATHS, denied: ["127.0.0.1:8000"] };
  const own = grants({ private: [{ host: "127.0.0.1", port: 8000, addresses: ["127.0.0.1"] }] });
  throws(() => processArgs(own, api), /closed to all plugins/);
});

Deno.test("checkedNetRule() throws unless the rule is host:port or *.domain:port", () => {
  for (
    const rule of [
      "example.com:443",
      "*.example.com:1",
      "xn--bcher-kva.example:443",
      "93.184.216.34:80",
      "a_b.example:80",
    ]
  ) {
    strictEqual(checkedNetRule(rule), rule);
  }
  const wrong = [
    "example.com",
    "example.com:",
    "example.com:0",
    "example.com:65536",
    "Example.com:443",
    "bücher.example:443",
    "*:443",
    "*.:443",
    "*.1.2.3.4:443",
    "a.*.com:443",
    "[::1]:80",
    "::1:80",
    "https://example.com:443",
    "a.com:1,b.com:2",
    "example.com:443 ",
    "0x7f000001:80",
    "2130706433:80",
    "127.1:80",
    "-a.com:80",
    "a..com:80",
    "",
  ];
  for (const rule of wrong) throws(() => checkedNetRule(rule), GrantError, rule);
});

Deno.test("processArgs() throws when a path is not absolute and plain", () => {
  for (const path of ["", "relative", "/", "/a/../b", "/a/./b", "//proc", "/a//b", "/a\nb"]) {
    throws(() => processArgs(grants({ read: [path] }), PATHS), GrantError, path);
    throws(() => workerPermissions(grants({ write: [path] }), "/b"), GrantError, path);
  }
});

Deno.test("processArgs() throws when a variable would change the runner itself", () => {
  for (const name of ["DENO_DIR", "LD_PRELOAD", "NODE_OPTIONS", "DYLD_X", "A,B", "A=B", "1A", ""]) {
    throws(() => processArgs(grants({ env: [name] }), PATHS), GrantError, name);
  }
});

Deno.test("denyList() throws when an address or a denial cannot be read", () => {
  throws(() => denyList(NO_GRANTS, { interfaces: ["eth0"] }), GrantError);
  throws(() => denyList(NO_GRANTS, { interfaces: [], denied: ["a,b"] }), GrantError);
  const port = grants({ private: [{ host: "::1", port: 0, addresses: ["::1"] }] });
  throws(() => processArgs(port, PATHS), GrantError);
});
