import assert from "node:assert/strict";
import { normalHost, parseNetEntry, splitPort } from "./net_entry.ts";

Deno.test("parseNetEntry() reads every form", () => {
  assert.deepEqual(parseNetEntry("arxiv.org"), { kind: "host", host: "arxiv.org", port: 443 });
  assert.deepEqual(parseNetEntry("ArXiv.org.:80"), { kind: "host", host: "arxiv.org", port: 80 });
  assert.deepEqual(parseNetEntry("bücher.example"), {
    kind: "host",
    host: "xn--bcher-kva.example",
    port: 443,
  });
  assert.deepEqual(parseNetEntry("1.1.1.1:53"), { kind: "host", host: "1.1.1.1", port: 53 });
  assert.deepEqual(parseNetEntry("*.example.com:8443"), {
    kind: "wildcard",
    domain: "example.com",
    port: 8443,
  });
  assert.deepEqual(parseNetEntry("${source.site}"), { kind: "site" });
  assert.deepEqual(parseNetEntry("${config.base_url}"), { kind: "config", field: "base_url" });
  assert.deepEqual(parseNetEntry("public"), { kind: "public" });
});

Deno.test("parseNetEntry() says what is wrong", () => {
  const wrong: Record<string, RegExp> = {
    "https://arxiv.org": /without scheme and path/,
    "arxiv.org/abs": /without scheme and path/,
    "arxiv.org:0": /port is a number/,
    "arxiv.org:70000": /port is a number/,
    "arxiv.org:x": /expected host/,
    "[::1]:80": /IPv6/,
    "::1": /IPv6/,
    "*": /wildcard/,
    "*.com": /many owners/,
    "*.github.io": /many owners/,
    "*.1.2.3.4": /wildcard/,
    "a*.example.com": /expected host/,
    "${env.HOME}": /expected host/,
    "${source.site}:80": /expected host/,
    "": /expected host/,
    "a b": /expected host/,
    "a,b.example": /expected host/,
    "ann@example.com": /expected host/,
  };
  for (const [value, words] of Object.entries(wrong)) {
    const result = parseNetEntry(value);
    assert.ok(typeof result === "string", value);
    assert.match(result, words, value);
  }
});

Deno.test("parseNetEntry() refuses private addresses in every notation", () => {
  for (
    const value of [
      "localhost",
      "a.localhost:80",
      "127.0.0.1",
      "127.1",
      "0x7f.1",
      "2130706433",
      "10.0.0.1:80",
      "169.254.1.1",
    ]
  ) {
    const result = parseNetEntry(value);
    assert.ok(typeof result === "string" && result.includes("private address"), value);
  }
});

Deno.test("splitPort() and normalHost() give nothing for what is no host", () => {
  assert.deepEqual(splitPort("a:1"), { host: "a", port: 1 });
  assert.equal(splitPort("a:b:1"), undefined);
  assert.equal(normalHost("a..b"), undefined);
  assert.equal(normalHost("a%00b"), undefined);
  assert.equal(normalHost("xn--zz--"), undefined);
});

Deno.test("parseNetEntry() advises no way to open what stays closed", () => {
  for (const value of ["169.254.169.254", "169.254.169.254:80", "100.100.100.200"]) {
    const result = parseNetEntry(value);
    assert.ok(typeof result === "string" && /never opened/.test(result), value);
    assert.ok(!String(result).includes("--allow-private"), value);
  }
});
