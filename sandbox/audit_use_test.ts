import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  type AskedPermission,
  createUses,
  judgeByGrants,
  OTHER_VALUES,
  parseAuditLine,
} from "./audit_use.ts";
import { type Grants, NO_GRANTS } from "./types.ts";

const OWN = { files: ["/c/guest.ts"], bundle: "/b/x.js", socket: "/tmp/cr-1/s" };
const TIME = "2026-11-21T04:33:47Z";

const line = (permission: string, value: unknown, more = "") =>
  JSON.stringify({ v: 1, datetime: TIME, permission, value }) + more;

Deno.test("parseAuditLine() reads what Deno writes", () => {
  for (const value of ["/etc/passwd", 'li\nne\u0001 "q" 世界', "", null]) {
    deepStrictEqual(parseAuditLine(line("read", value)), { permission: "read", value, time: TIME });
  }
});

Deno.test("parseAuditLine() takes nothing else", () => {
  for (
    const text of [
      "",
      "x",
      "{}",
      line("read", 7),
      line("read", ["/x"]),
      line("telepathy", "x"),
      line("read", "x").replace('"v":1', '"v":2'),
      line("read", "x").replace(TIME, "yesterday"),
      line("read", "x", "garbage"),
      `\0${line("read", "x")}`,
    ]
  ) {
    strictEqual(parseAuditLine(text), undefined, text);
  }
});

Deno.test("parseAuditLine() gives the beginning of a value that was cut off", () => {
  const cut = line("net", `https://evil.example/${"x".repeat(5000)}`).slice(0, 4000);
  const asked = parseAuditLine(cut)!;
  strictEqual(asked.value!.length, 1024);
  strictEqual(asked.value!.startsWith("https://evil.example/x"), true);
});

/** `permission value granted` of each, or nothing for what is the runner's own. */
function judged(grants: Partial<Grants>, ...asked: [AskedPermission, string | null][]): string[] {
  const judge = judgeByGrants({ ...NO_GRANTS, ...grants }, OWN);
  return asked.flatMap(([permission, value]) => {
    const found = judge(permission, value);
    return found === undefined ? [] : [`${found.value} ${found.granted ? "yes" : "no"}`];
  });
}

Deno.test("judgeByGrants() leaves out what the runner's start asks for", () => {
  deepStrictEqual(
    judged(
      { env: ["HOME"], net: ["a.example:443"] },
      ["read", null],
      ["write", null],
      ["net", null],
      ["env", null],
      ["read", "/c/guest.ts"],
      ["read", "/b/x.js"],
      ["read", "/tmp/cr-1/s"],
      ["write", "/tmp/cr-1/s"],
      ["net", "unix:/tmp/cr-1/s"],
    ),
    [],
  );
  // What comes again is the guest's.
  deepStrictEqual(judged({ env: ["HOME"] }, ["env", null], ["env", null]), ["* no"]);
  deepStrictEqual(judged({ run: ["/bin/sh"] }, ["run", null], ["run", null]), ["* no"]);
  deepStrictEqual(judged({}, ["env", null], ["sys", null], ["write", "/b/x.js"]), [
    "* no",
    "* no",
    "/b/x.js no",
  ]);
});

Deno.test("judgeByGrants() finds the rule that covers a host, and keeps nothing else of a URL", () => {
  deepStrictEqual(
    judged(
      { net: ["a.example:443", "*.b.example:443", "c.example:8080"] },
      ["net", "a.example:443"],
      ["net", "https://a.example/path?api_key=secret"],
      ["net", "wss://user:secret@A.EXAMPLE./"],
      ["net", "x.b.example:443"],
      ["net", "https://b.example/"],
      ["net", "http://c.example:8080/secret"],
      ["net", "http://a.example/secret"],
      ["net", "https://xb.example/secret"],
      ["net", "ftp://a.example/secret"],
      ["net", "https://[/secret"],
      ["net", "unix:/tmp/Other"],
    ),
    [
      "a.example:443 yes",
      "a.example:443 yes",
      "a.example:443 yes",
      "*.b.example:443 yes",
      "*.b.example:443 yes",
      "c.example:8080 yes",
      "a.example:80 no",
      "xb.example:443 no",
      "a.example: no",
      "(an address that cannot be read) no",
      "unix:/tmp/Other no",
    ],
  );
});

Deno.test("judgeByGrants() takes an opened private address for granted", () => {
  const open = (host: string) => ({ private: [{ host, port: 11434, addresses: ["::1"] }] });
  deepStrictEqual(judged(open("localhost"), ["net", "http://localhost:11434/v1"]), [
    "localhost:11434 yes",
  ]);
  deepStrictEqual(judged(open("::1"), ["net", "http://[::1]:11434/"], ["net", "[::1]:80"]), [
    "[::1]:11434 yes",
    "[::1]:80 no",
  ]);
});

Deno.test("judgeByGrants() takes any public host for granted where any is, by its name", () => {
  deepStrictEqual(
    judged(
      { netPublic: true },
      ["net", "https://x.example/?q=secret"],
      ["net", "1.2.3.4:80"],
      ["net", "http://192.168.1.1/"],
      ["net", "127.0.0.1:80"],
      ["net", "localhost:80"],
      ["net", "x.localhost:80"],
      ["net", "[2001:db8::1]:80"],
      ["net", "2130706433:80"],
      ["net", "metadata.google.internal:80"],
      ["net", "169.254.169.254:80"],
    ),
    [
      "x.example:443 yes",
      "1.2.3.4:80 yes",
      "192.168.1.1:80 no",
      "127.0.0.1:80 no",
      "localhost:80 no",
      "x.localhost:80 no",
      "[2001:db8::1]:80 no",
      "2130706433:80 no",
      "metadata.google.internal:80 no",
      "169.254.169.254:80 no",
    ],
  );
});

Deno.test("judgeByGrants() puts files down as the folder that was granted", () => {
  deepStrictEqual(
    judged(
      { read: ["/data/x"], write: ["/data/x"], env: ["TOKEN"] },
      ["read", "/data/x"],
      ["read", "/data/x/deep/file"],
      ["write", "/data/x/out"],
      ["read", "/data/xy"],
      ["read", "/data/x/../secret"],
      ["read", "relative/file"],
      ["read", `/${"a".repeat(400)}\u0007`],
      ["env", "TOKEN"],
      ["env", "OTHER"],
      ["run", "/bin/sh"],
      ["ffi", "x.so"],
    ),
    [
      "/data/x yes",
      "/data/x yes",
      "/data/x yes",
      "/data/xy no",
      "/data/secret no",
      "/relative/file no",
      `/${"a".repeat(254)}… no`,
      "TOKEN yes",
      "OTHER no",
      "/bin/sh no",
      "x.so no",
    ],
  );
});

Deno.test("createUses() counts by permission and value, a request once", () => {
  const uses = createUses(judgeByGrants({ ...NO_GRANTS, net: ["a.example:443"] }, OWN));
  const add = (permission: AskedPermission, value: string, second: number) =>
    uses.add({ permission, value, time: `2026-01-01T00:00:0${second}Z` });
  add("read", "/etc/passwd", 5);
  for (const second of [3, 1, 2]) {
    add("net", "https://a.example/x", second);
    add("net", "a.example:443", second);
  }
  add("net", "a.example:443", 4);
  deepStrictEqual(uses.list(), [
    {
      permission: "net",
      value: "a.example:443",
      granted: true,
      count: 4,
      first: "2026-01-01T00:00:01Z",
      last: "2026-01-01T00:00:04Z",
    },
    {
      permission: "read",
      value: "/etc/passwd",
      granted: false,
      count: 1,
      first: "2026-01-01T00:00:05Z",
      last: "2026-01-01T00:00:05Z",
    },
  ]);
});

Deno.test("createUses() keeps so many values apart, and every grant", () => {
  const grants = { ...NO_GRANTS, read: ["/granted"], net: ["a.example:443"] };
  const uses = createUses(judgeByGrants(grants, OWN), 10);
  for (let index = 0; index < 1000; index++) {
    uses.add({ permission: "read", value: `/${index}`, time: TIME });
  }
  uses.add({ permission: "net", value: "evil.example:443", time: TIME });
  uses.add({ permission: "net", value: "a.example:443", time: TIME });
  uses.add({ permission: "read", value: "/granted/x", time: TIME });
  const list = uses.list().map(({ permission, value, count }) => `${permission} ${value} ${count}`);
  deepStrictEqual(list.slice(0, 2).sort(), ["net a.example:443 1", "read /granted 1"]);
  deepStrictEqual(list.slice(-2), [`read ${OTHER_VALUES} 990`, `net ${OTHER_VALUES} 1`]);
  strictEqual(list.length, 14);
});
