// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { EXIT } from "../errors.ts";
import { setup } from "../testing/carrel.ts";
import { problem, TOKEN } from "../testing/host.ts";
import { GENEALOGY } from "../testing/samples.ts";

Deno.test("carrel provenance draws the tree, or the attribution", async () => {
  await using t = await setup();
  const tree = await t.carrel(["provenance", "artifact_1", "--depth", "3"]);
  assert.equal(
    tree.out,
    "Ebook A book\n├─ from WebPage A page  (claimed by export.ebook)\n└─ made by PluginVersion export.ebook 0.1.0\n",
  );
  assert.ok(t.host.last("GET", "/api/provenance/artifact/artifact_1/genealogy"));
  const text = await t.carrel(["provenance", "artifact_1", "--attribution"]);
  assert.equal(text.out, "A page, by Ada.\nAnother.\n");
});

Deno.test("carrel provenance says which sources were deleted", async () => {
  await using t = await setup();
  t.host.intercept = (seen) =>
    seen.path === "/api/content/content_1"
      ? problem(410, "gone", 'Cannot show content "content_1": it was deleted')
      : undefined;
  const { out } = await t.carrel(["provenance", "artifact_1"]);
  assert.match(out, /from WebPage A page  \(deleted, claimed by export\.ebook\)\n/);
});

Deno.test("carrel provenance cuts nothing when it is piped, and names what shows a part alone", async () => {
  await using t = await setup();
  const label = "A long title ".repeat(20).trim();
  const part = {
    id: "artifact_1#chapter-1",
    type: "Part",
    label,
    properties: { kind: "chapter", location: "chapter-1.xhtml" },
  };
  t.host.intercept = (seen) =>
    seen.path.endsWith("/genealogy")
      ? Response.json({
        ...GENEALOGY,
        nodes: [...GENEALOGY.nodes, part],
        edges: [{ from: "artifact_1", to: part.id, type: "HAS_PART", claimed_by: "export.ebook" }],
      })
      : undefined;
  const piped = await t.carrel(["provenance", "artifact_1"]);
  assert.ok(piped.out.includes(`has Chapter ${label}  artifact_1#chapter-1  (claimed by`));
  assert.match(piped.err, /carrel provenance artifact_1#chapter-1/);
  const shown = await t.carrel(["provenance", "artifact_1"], {
    terminal: true,
    columns: 80,
    env: { NO_COLOR: "1", CARREL_TOKEN: TOKEN },
  });
  assert.match(shown.out, /A long.*…  #chapter-1  \(claimed/);
  assert.equal((await t.carrel(["provenance", ""])).exit, EXIT.usage);
});
