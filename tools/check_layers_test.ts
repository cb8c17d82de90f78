import assert from "node:assert/strict";
import { checkLayers, type Import, importBreach, textBreaches } from "./check_layers.ts";

function breach(from: string, to: string | undefined, more: Partial<Import> = {}) {
  return importBreach({ from, to, specifier: to ?? "npm:x", line: 1, typeOnly: false, ...more });
}

Deno.test("importBreach() keeps each part to what it may import", () => {
  const allowed: [string, string | undefined, Partial<Import>?][] = [
    ["core/a.ts", "sandbox/pool.ts"],
    ["core/a.ts", "sdk/types.ts"],
    ["main.ts", "core/app.ts"],
    ["sandbox/pool.ts", "sdk/types.ts", { typeOnly: true }],
    ["plugins/x/mod.ts", "sdk/mod.ts", { specifier: "@carrel/sdk" }],
    ["plugins/x/mod.ts", "plugins/x/other.ts"],
    ["plugins/x/mod.ts", undefined],
    ["plugins/x/mod_test.ts", "core/app.ts"],
    ["tests/e2e/a.ts", "core/stores/sqlite.ts"],
  ];
  for (const [from, to, more] of allowed) assert.equal(breach(from, to, more), undefined, from);
  const refused: [string, string | undefined, Partial<Import>?][] = [
    ["core/a.ts", "plugins/x/mod.ts"],
    ["core/a.ts", "main.ts"],
    ["core/a.ts", "core/testing/helper.ts"],
    ["core/a.ts", undefined, { specifier: "jsr:@std/yaml" }],
    ["sandbox/pool.ts", "core/errors.ts"],
    ["sandbox/pool.ts", "sdk/errors.ts"],
    ["sdk/types.ts", "sandbox/types.ts", { typeOnly: true }],
    ["plugins/x/mod.ts", "sdk/mod.ts", { specifier: "../../sdk/mod.ts" }],
    ["plugins/x/mod.ts", "plugins/y/mod.ts"],
    ["examples/plugins/x/mod.ts", "core/errors.ts"],
    ["ui/main.ts", "core/http/schemas.ts", { typeOnly: true }],
  ];
  for (const [from, to, more] of refused) assert.ok(breach(from, to, more), `${from} → ${to}`);
});

Deno.test("importBreach() lets core/app.ts alone choose adapters", () => {
  for (const adapter of ["stores/sqlite", "stores/objects_fs", "jobs/queue_kv"]) {
    assert.equal(breach("core/app.ts", `core/${adapter}.ts`), undefined);
    assert.match(breach("core/library/content.ts", `core/${adapter}.ts`)!, /is an adapter/);
  }
  assert.equal(breach("core/stores/sqlite.ts", "core/stores/sqlite_text.ts"), undefined);
  assert.equal(breach("core/library/content.ts", "core/stores/objects.ts"), undefined);
});

Deno.test("textBreaches() finds long files, paths of the machine and -A in a README", () => {
  const why = (file: string, text: string) =>
    textBreaches(file, text, ["/build/carrel"]).map((found) => `${found.line}: ${found.why}`);
  assert.deepEqual(why("core/a.ts", "x\n".repeat(400)), []);
  assert.equal(why("core/a.ts", "x\n".repeat(401)).length, 1);
  assert.deepEqual(why("core/a_test.ts", "x\n".repeat(900)), []);
  assert.deepEqual(why("docs/a.md", "ok\nsee /build/carrel/x"), [
    "2: /build/carrel is a path of this machine",
  ]);
  assert.deepEqual(why("docs/a.md", "https://example.org/build/carrel-x ./build/carrel"), []);
  assert.equal(why("README.md", "run `deno run -A x`").length, 1);
  assert.equal(why("README.md", "deno run --allow-all x").length, 1);
  assert.deepEqual(why("README.md", "grep -Ai x-A"), []);
});

Deno.test("checkLayers() reads every kind of import with its line", async () => {
  const root = await Deno.realPath(await Deno.makeTempDir());
  try {
    const write = async (path: string, text: string) => {
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    };
    await write("deno.json", "{}");
    await write("plugins/p/mod.ts", "export const p = 1;\nexport type P = 1;\n");
    await write(
      "core/a.ts",
      [
        'import { p } from "../plugins/p/mod.ts";',
        '// import "../main.ts";',
        'const text = `import "../main.ts"`;',
        "export { p, text };",
      ].join("\n"),
    );
    await write("core/b.ts", 'export * from "../plugins/p/mod.ts";');
    await write("core/c.ts", '\n\nconst m = await import("../plugins/p/mod.ts");\nexport { m };');
    await write("core/d.ts", '\nimport type { P } from "../plugins/p/mod.ts";\nexport type D = P;');
    await write("sandbox/e.ts", 'export type E = import("../core/a.ts").p;');
    const { breaches } = await checkLayers(root);
    assert.deepEqual(breaches.map(({ file, line }) => `${file}:${line}`), [
      "core/a.ts:1",
      "core/b.ts:1",
      "core/c.ts:3",
      "core/d.ts:2",
      "sandbox/e.ts:1",
    ]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
