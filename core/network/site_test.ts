import assert from "node:assert/strict";
import { registrableDomain, siteOf, siteReaches } from "./site.ts";

Deno.test("siteOf() is the registrable domain, and keeps tenants of one suffix apart", () => {
  assert.equal(siteOf("en.wikipedia.org"), "wikipedia.org");
  assert.equal(siteOf("a.b.example.co.uk"), "example.co.uk");
  assert.equal(siteOf("alice.github.io"), "alice.github.io");
  assert.equal(siteOf("bob.github.io"), "bob.github.io");
});

Deno.test("siteOf() is the host itself when there is no registrable domain", () => {
  for (const host of ["localhost", "127.0.0.1", "[::1]", "github.io", "wiki"]) {
    assert.equal(registrableDomain(host), undefined, host);
    assert.equal(siteOf(host), host);
  }
});

Deno.test("siteReaches() takes the hosts of a site on the web's ports and its own, and nothing else", () => {
  const open = { host: "www.example.co.uk", port: 8443, site: "example.co.uk", private: undefined };
  for (
    const url of [
      "https://example.co.uk/",
      "http://a.b.example.co.uk/x",
      "https://www.example.co.uk:8443/",
    ]
  ) assert.ok(siteReaches(open, new URL(url)), url);
  for (
    const url of [
      "https://other.co.uk/",
      "https://example.co.uk.evil.example/",
      "https://www.example.co.uk:8444/",
      "http://127.0.0.1/",
    ]
  ) assert.ok(!siteReaches(open, new URL(url)), url);
  const inside = { host: "10.0.0.5", port: 80, site: "10.0.0.5", private: {} };
  assert.ok(siteReaches(inside, new URL("http://10.0.0.5/x")));
  assert.ok(!siteReaches(inside, new URL("https://10.0.0.5/x")));
});
