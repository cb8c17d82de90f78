import assert from "node:assert/strict";
import { setup } from "../testing/carrel.ts";

const RESULT = {
  value: { text: "# Owls\n\nThey read.\u001b[31m", model: "extractive summary" },
  provider: { id: "generator.extractive", version: "0.1.0", digest: "00" },
  usage: [{ plugin: "generator.a", model: "m", input_tokens: 3, output_tokens: 4, cost: 0.5 }],
  skipped: [{ plugin: "generator.openai", why: "no key" }],
};

Deno.test("carrel capability call prints the text, and on standard error who made it", async () => {
  await using t = await setup();
  answerCalls(t);
  t.host.stories.push({ job: { result: RESULT } });
  const called = await t.carrel([
    "capability",
    "call",
    "text.generate",
    "--input",
    '{"prompt":"p"}',
  ]);
  assert.equal(called.exit, 0, called.err);
  assert.equal(called.out, "# Owls\n\nThey read.\ufffd[31m\n");
  assert.match(called.err, /generator\.openai did not serve: no key/);
  assert.match(called.err, /generator\.extractive \(extractive summary\); m: 7 tokens, 0\.5 USD/);
  const seen = t.host.last("POST", "/api/capabilities/text.generate")!;
  assert.deepEqual(seen.body, { input: { prompt: "p" } });
  assert.equal(seen.headers.get("prefer"), "respond-async");
});

Deno.test("carrel capability call takes a file, gives JSON, and fails as its job", async () => {
  await using t = await setup();
  answerCalls(t);
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "[1, 2]");
    t.host.stories.push({ job: { result: { ...RESULT, value: [3] } } });
    const call = ["capability", "call", "test.a", "--provider", "generator.a", "--input"];
    const called = await t.carrel([...call, `@${file}`, "--json"]);
    assert.deepEqual(JSON.parse(called.out).value, [3]);
    assert.deepEqual(t.host.last("POST", "/api/capabilities/test.a")!.body, {
      input: [1, 2],
      provider: "generator.a",
    });
    const error = { code: "no_provider", message: "Cannot call it." };
    t.host.stories.push({ end: "failed", error });
    const failed = await t.carrel([...call, "1"]);
    assert.equal(failed.exit, 1);
    assert.match(failed.err, /Cannot call it/);
    for (const wrong of ["{", "@/no/such/file"]) {
      assert.equal((await t.carrel([...call, wrong])).exit, 2, wrong);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("carrel capability list shows who provides what, and why not", async () => {
  await using t = await setup();
  t.host.intercept = ({ path }) =>
    path === "/api/capabilities"
      ? Response.json({
        items: [{
          name: "text.generate",
          description: "Writes a text.",
          providers: [
            { plugin: "generator.openai", enabled: true, down: null },
            { plugin: "generator.off", enabled: false, down: "it is disabled" },
          ],
        }],
      })
      : undefined;
  const { out } = await t.carrel(["capability", "list"]);
  assert.match(out, /text\.generate +generator\.openai +Writes a text\./);
  assert.match(out, /generator\.off +it is disabled/);
});

/** A call is accepted as other work is. */
function answerCalls(t: Awaited<ReturnType<typeof setup>>): void {
  t.host.intercept = async ({ method, path, headers }) => {
    if (method !== "POST" || !path.startsWith("/api/capabilities/")) return undefined;
    return await fetch(`${t.host.url}/api/content/export`, {
      method: "POST",
      headers: {
        authorization: headers.get("authorization") ?? "",
        "content-type": "application/json",
      },
      body: "{}",
    });
  };
}
