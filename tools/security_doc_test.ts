import { ok, strictEqual } from "node:assert/strict";
import { CATALOGUE } from "../tests/hostile/catalogue.ts";
import { formatted, SECURITY_DOC, securityDoc } from "./security_doc.ts";

Deno.test("docs/security.md is what the catalogue of hostile programs says", async () => {
  strictEqual(
    await Deno.readTextFile(SECURITY_DOC),
    await formatted(securityDoc()),
    "run: deno task docs:security",
  );
});

Deno.test("securityDoc() names every program and what is not protected", () => {
  const text = securityDoc();
  for (const { name } of CATALOGUE) ok(text.includes(name.replaceAll("|", "\\|")), name);
  ok(text.includes("## What is not protected"));
});
