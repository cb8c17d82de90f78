import assert from "node:assert/strict";
import { registrableDomain, siteOf } from "./site.ts";

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
