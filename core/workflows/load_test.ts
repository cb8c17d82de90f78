import assert from "node:assert/strict";
import { join } from "node:path";
import { createWorkflowFiles, workflowOf } from "./load.ts";
import { SCHEMA_LINE } from "./schema.ts";

const pipeline = (name: string, call = "x.y") => `name: ${name}\nsteps: [{call: ${call}}]\n`;

async function withFolder(
  files: Readonly<Record<string, string>>,
  work: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(dir, name), text);
    }
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("createWorkflowFiles() reads the pipelines of a folder; a broken one harms no other", async () => {
  const files = {
    "good.yaml": pipeline("good"),
    "other.yml": pipeline("other"),
    "broken.yaml": "name: broken\nsteps: [{cal: x.y}]\n",
    "named.yaml": `# ${"\n"}${pipeline("good")}`,
    "large.yaml": `# ${"x".repeat(300_000)}`,
    ".hidden.yaml": pipeline("hidden"),
    "pipeline.schema.json": "{}",
  };
  await withFolder(files, async (dir) => {
    await Deno.mkdir(join(dir, "folder.yaml"));
    const found = await createWorkflowFiles(dir).load();
    assert.deepEqual(
      found.map(({ name, file, definition }) => [name, file, definition !== undefined]),
      [
        ["broken", "broken.yaml", false],
        ["good", "good.yaml", true],
        ["large", "large.yaml", false],
        ["named", "named.yaml", false],
        ["other", "other.yml", true],
      ],
    );
    assert.match(found[0]!.problems[0]!.message, /did you mean "call"/);
    assert.match(found[2]!.problems[0]!.message, /larger than/);
    assert.deepEqual(found[3]!.problems, [{
      line: 2,
      column: 1,
      message: 'name: expected "named", as the file is called, not "good"',
    }]);
    assert.match(found[1]!.digest, /^[0-9a-f]{64}$/);
  });
});

Deno.test("createWorkflowFiles() reads a file again when it has changed, and only then", async () => {
  await withFolder({ "a.yaml": pipeline("a"), "b.yaml": pipeline("b") }, async (dir) => {
    const files = createWorkflowFiles(dir);
    const [a, b] = await files.load();
    await Deno.writeTextFile(join(dir, "a.yaml"), pipeline("a", "other.one"));
    const [changed, same] = await files.load();
    assert.notEqual(changed!.digest, a!.digest);
    assert.equal(same, b);
    await Deno.remove(join(dir, "a.yaml"));
    assert.deepEqual(await files.load(), [b]);
  });
});

Deno.test("createWorkflowFiles() says that two files are one name, and finds nothing in no folder", async () => {
  await withFolder({ "a.yaml": pipeline("a"), "a.yml": pipeline("a") }, async (dir) => {
    const found = await createWorkflowFiles(dir).load();
    assert.deepEqual(found.map(({ definition }) => definition !== undefined), [true, false]);
    assert.match(found[1]!.problems[0]!.message, /"a\.yaml" has this name already/);
    assert.deepEqual(await createWorkflowFiles(join(dir, "none")).load(), []);
  });
});

Deno.test("workflowOf() makes a workflow of a text", async () => {
  const workflow = await workflowOf(pipeline("w"));
  assert.deepEqual([workflow.name, workflow.problems], ["w", []]);
  assert.equal((await workflowOf("name: w\n")).definition, undefined);
});

Deno.test("the pipelines that ship have no fault, and tell editors of their schema", async () => {
  const dir = new URL("../../config/pipelines/", import.meta.url);
  for (const { file, problems } of await createWorkflowFiles(dir.pathname).load()) {
    assert.deepEqual(problems, [], file);
    const text = await Deno.readTextFile(new URL(file, dir));
    assert.equal(text.split("\n", 1)[0], SCHEMA_LINE, file);
  }
});
