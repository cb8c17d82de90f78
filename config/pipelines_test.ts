/** The pipelines that ship, and the examples of the page on them, are definitions without a fault. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { createWorkflowFiles } from "../core/workflows/load.ts";
import { parseDefinition } from "../core/workflows/parse.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const SCHEMA_LINE = "# yaml-language-server: $schema=./pipeline.schema.json\n";

Deno.test("every pipeline that ships is sound, begins with its schema and stands in the README", async () => {
  const readme = await Deno.readTextFile(at("pipelines/README.md"));
  const workflows = await createWorkflowFiles(at("pipelines")).load();
  assert.ok(workflows.length >= 4);
  for (const { name, file, problems, definition } of workflows) {
    assert.deepEqual(problems, [], file);
    assert.ok(definition?.description, file);
    const text = await Deno.readTextFile(at(`pipelines/${file}`));
    assert.ok(text.startsWith(SCHEMA_LINE), file);
    assert.match(readme, new RegExp(`^## ${name}$[^]*carrel pipeline run ${name} `, "m"));
  }
});

Deno.test("every definition in docs/pipelines.md is sound", async () => {
  const page = await Deno.readTextFile(at("../docs/pipelines.md"));
  const examples = [...page.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml]) => yaml!);
  assert.ok(examples.length >= 3);
  for (const yaml of examples) assert.deepEqual(parseDefinition(yaml).problems, [], yaml);
});
