// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { createStyle } from "./format.ts";
import { drawTree } from "./tree.ts";
import type { GenealogyJson } from "./wire.ts";

const style = createStyle(false);

function genealogy(edges: [string, string, string, string?][], truncated = false): GenealogyJson {
  const ids = [...new Set(edges.flatMap(([from, , to]) => [from, to]))];
  return {
    root: ids[0]!,
    nodes: ids.map((id) => ({ id, type: "Chunk", label: `the ${id}`, properties: {} })),
    edges: edges.map(([from, type, to, claimed_by = "host"]) => ({ from, to, type, claimed_by })),
    truncated,
  };
}

Deno.test("drawTree() draws branches, names edges and says who claims them", () => {
  const lines = drawTree(
    genealogy([
      ["book", "HAS_SCENE", "chapter", "export.ebook"],
      ["book", "GENERATED_BY", "plugin"],
      ["chapter", "USED_PARAGRAPH", "chunk"],
      ["chunk", "MADE_WITH_CARE", "page"],
    ]),
    { style, width: 80 },
  );
  assert.deepEqual(lines, [
    "Chunk the book",
    "├─ has Chunk the chapter  (claimed by export.ebook)",
    "│  └─ used Chunk the chunk",
    "│     └─ made with care Chunk the page",
    "└─ made by Chunk the plugin",
  ]);
});

Deno.test("drawTree() opens a shared node once and ends when the graph has a cycle", () => {
  const lines = drawTree(
    genealogy([["a", "CITES", "b"], ["b", "CITES", "a"], ["a", "CITES", "c"], ["c", "CITES", "b"]]),
    { style, width: 80 },
  );
  assert.deepEqual(lines, [
    "Chunk the a",
    "├─ cites Chunk the b",
    "│  └─ cites Chunk the a  (see above)",
    "└─ cites Chunk the c",
    "   └─ cites Chunk the b  (see above)",
  ]);
});

Deno.test("drawTree() obeys depth, follow and from, and says when something was cut off", () => {
  const graph = genealogy([["a", "CITES", "b"], ["b", "CITES", "c"], ["b", "RAN_AS", "d"]], true);
  assert.deepEqual(drawTree(graph, { style, width: 80, depth: 1 }), [
    "Chunk the a",
    "└─ cites Chunk the b",
    "… more above: ask with a larger --depth",
  ]);
  const follow = (edge: { type: string }) => edge.type !== "RAN_AS";
  assert.deepEqual(drawTree(graph, { style, width: 80, from: "b", follow }).slice(0, -1), [
    "Chunk the b",
    "└─ cites Chunk the c",
  ]);
});

Deno.test("drawTree() cleans labels, cuts them to the width, and names nodes that are not there", () => {
  const graph = genealogy([["a", "CITES", "b"]]);
  graph.nodes = [{
    id: "a",
    type: "Page",
    label: "x\x1b]0;y\x07" + "z".repeat(90),
    properties: {},
  }];
  const [first, second] = drawTree(graph, { style, width: 40 });
  assert.equal(first, `Page x\ufffd]0;y\ufffd${"z".repeat(27)}…`);
  assert.equal(first.length, 40);
  assert.equal(second, "└─ cites b");
});

Deno.test("drawTree() puts parts before sources and makers, and tells nodes apart by their details", () => {
  const graph = genealogy([
    ["book", "CREATED_BY", "user"],
    ["book", "GENERATED_BY", "plugin"],
    ["book", "GENERATED_FROM", "page"],
    ["book", "HAS_PART", "part"],
    ["book", "RAN_AS", "job"],
  ]);
  const more: Record<string, [string, Record<string, unknown>]> = {
    plugin: ["PluginVersion", { digest: "0123456789abcdef" }],
    page: ["WebPage", { url: "https://example.org/a-long-address" }],
    part: ["Part", { kind: "chapter", location: "b.epub#1" }],
    job: ["Job", {}],
  };
  graph.nodes = graph.nodes.map((node) => {
    const [type, properties] = more[node.id] ?? ["Chunk", {}];
    return { ...node, type, properties };
  });
  assert.deepEqual(drawTree(graph, { style, width: 46 }), [
    "Chunk the book",
    "├─ has Chapter the part  b.epub#1",
    "├─ from WebPage the page  https://example.org…",
    "├─ made by PluginVersion the plugin",
    "├─ ran as Job the job  job",
    "└─ for Chunk the user",
  ]);
  assert.match(drawTree(graph, { style, width: 80 })[3]!, /the plugin  sha256 0123456789ab…$/);
  graph.nodes[3]!.properties = { url: `upload:${"ab".repeat(32)}` };
  assert.match(drawTree(graph, { style, width: 80 })[2]!, /sha256 abababababab…$/);
});

Deno.test("drawTree() says what was deleted, and shows the id of a part whole or short", () => {
  const graph = genealogy([
    ["book", "HAS_PART", "artifact_01J0000000000000000000000#chapter-1"],
    ["book", "GENERATED_FROM", "content_1"],
    ["book", "GENERATED_FROM", "content_2"],
  ]);
  graph.nodes[1] = { ...graph.nodes[1]!, type: "Part", label: "A chapter of some length" };
  graph.nodes[2] = {
    id: "content_1",
    type: "Tombstone",
    label: "(deleted)",
    properties: { deleted: "2026-03-04T05:06:07.890Z" },
  };
  const draw = (width: number) =>
    drawTree(graph, { style, width, deleted: new Set(["content_2"]) });
  assert.deepEqual(draw(100), [
    "Chunk the book",
    "├─ has Part A chapter of some length  artifact_01J0000000000000000000000#chapter-1",
    "├─ from Deleted content_1 on 2026-03-04 05:06",
    "└─ from Chunk the content_2  (deleted)",
  ]);
  assert.equal(draw(60)[1], "├─ has Part A chapter of some length  #chapter-1");
});
