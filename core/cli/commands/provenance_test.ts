import assert from "node:assert/strict";
import { setup } from "../testing/carrel.ts";

Deno.test("carrel provenance draws the tree, or the attribution", async () => {
  await using t = await setup();
  const tree = await t.carrel(["provenance", "artifact_1", "--depth", "3"]);
  assert.equal(
    tree.out,
    "Ebook A book\n├─ from WebPage A page  (claimed by export.ebook)\n└─ made by PluginVersion export.ebook 0.1.0\n",
  );
  assert.equal(t.host.seen.at(-1)!.path, "/api/provenance/artifact/artifact_1/genealogy");
  const text = await t.carrel(["provenance", "artifact_1", "--attribution"]);
  assert.equal(text.out, "A page, by Ada.\nAnother.\n");
});
