// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { CliError } from "./errors.ts";
import { gatherVars, type InputSchemas, inputsOf, looseInputs, readGiven } from "./run_inputs.ts";
import { testIo } from "./testing/io.ts";

const SCHEMAS: InputSchemas = {
  text: { type: "string", description: "What it is about" },
  count: { type: "integer", default: 3, minimum: 1 },
  languages: { type: "array", items: { type: "string" }, default: [] },
  any: { nullable: true },
};

const given = (...words: string[]) =>
  words.reduce((all, word) => gatherVars(word, all), [] as ReturnType<typeof gatherVars>);

async function faultOf(...words: string[]): Promise<CliError> {
  const error = await inputsOf("w", SCHEMAS, given(...words)).catch((error) => error);
  assert.ok(error instanceof CliError);
  assert.equal(error.exit, 2);
  return error;
}

Deno.test("inputsOf() takes JSON where the schema wants it, else the text", async () => {
  const cases: [string, unknown][] = [
    ["text=12", "12"],
    ["text=", ""],
    ["text=a=b", "a=b"],
    ["text=null", "null"],
    ["text={}", "{}"],
    ["count=7", 7],
    ['languages=["de", "fr"]', ["de", "fr"]],
    ['any={"a": 1}', { a: 1 }],
    ["any=null", null],
    ["any=plain words", "plain words"],
  ];
  for (const [word, value] of cases) {
    const name = word.slice(0, word.indexOf("="));
    const inputs = await inputsOf("w", SCHEMAS, given("text=x", word));
    assert.deepEqual(inputs[name], value, word);
  }
});

Deno.test("inputsOf() lists the inputs when one is missing, unknown or wrong", async () => {
  const missing = await faultOf("cuont=1");
  assert.match(missing.message, /no input "cuont"; the input "text" is missing/);
  assert.match(
    missing.hint!,
    /Its inputs:\n  text +string, required +What it is about\n  count +integer, default 3\n/,
  );
  assert.match((await faultOf("text=x", "count=0")).message, /count: .*1/);
  const list = await faultOf("text=x", "languages=de,fr");
  assert.match(list.message, /languages: expected array \(for example: --var 'languages=\["one"/);
  assert.match((await faultOf("text=x", "__proto__=1")).message, /no input "__proto__"/);
});

Deno.test("gatherVars() takes the last of a name, and wants a name", () => {
  assert.deepEqual(given("a=1", "b=2", "a=3"), [{ name: "b", text: "2" }, {
    name: "a",
    text: "3",
  }]);
  assert.throws(() => gatherVars("=1"), /form name=value/);
  assert.throws(() => gatherVars("a"), /form name=value/);
});

Deno.test("readGiven() reads files and standard input, and refuses a name that is set twice", async () => {
  const cwd = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${cwd}/chapter.md`, "# One\n");
    const io = testIo({ cwd, stdin: "[1]" });
    const read = await readGiven(io, given("a=1"), given("b=chapter.md", "c=-"));
    assert.deepEqual(looseInputs(read), { a: 1, b: "# One\n", c: [1] });
    await assert.rejects(readGiven(io, given("a=1"), given("a=chapter.md")), /twice/);
    await assert.rejects(readGiven(io, [], given("a=nothing.md")), {
      code: "file_not_found",
      exit: 2,
    });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
});
