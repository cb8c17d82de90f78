import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startTestHost, until } from "./host.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const CONFIG = fileURLToPath(new URL("../../deno.json", import.meta.url));

/** Needs no plugin but the one that evaluates expressions. */
const HELLO = `name: hello
inputs:
  names: {type: array, items: {type: string}}
steps:
  - id: greet
    foreach: "\${ inputs.names }"
    steps:
      - id: find
        search: {query: "\${ item }"}
    collect: "\${ 'Hello ' & item & ', ' & $count(steps.find.hits) & ' hits' }"
outputs: {greetings: "\${ steps.greet }"}
`;
const ASKS = `name: asks
steps:
  - id: pick
    wait: {choice: [red, green], prompt: Which one?}
outputs: {picked: "\${ steps.pick.option }"}
`;

/** The program itself, in a process of its own. */
function carrel(cwd: string, args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", `--config=${CONFIG}`, "-P=host", MAIN, ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let err = "";
  const errors = (async () => {
    for await (const piece of child.stderr.pipeThrough(new TextDecoderStream())) err += piece;
  })();
  const out = new Response(child.stdout).text();
  return {
    pid: child.pid,
    err: () => err,
    interrupt: () => child.kill("SIGINT"),
    async ended() {
      const { code } = await child.status;
      await errors;
      return { code, out: await out, err };
    },
  };
}

Deno.test("carrel pipeline run is the host itself where there is none, and uses the server where there is one", async () => {
  const dir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    await Deno.writeTextFile(`${dir}/hello.yaml`, HELLO);
    await Deno.writeTextFile(`${dir}/bad.yaml`, HELLO.replace("item }", "itm }"));
    const data = `${dir}/data`;
    const args = ["pipeline", "run", "hello.yaml", "--data", data, "--json", "--var"];
    const own = await carrel(dir, [...args, 'names=["Ada", "Bob"]']).ended();
    assert.equal(own.code, 0, own.out + own.err);
    const lines = own.out.trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(lines.at(-1).run.outputs, {
      greetings: ["Hello Ada, 0 hits", "Hello Bob, 0 hits"],
    });
    const wrong = await carrel(dir, [...args, "names=Ada"]).ended();
    assert.deepEqual([wrong.code, JSON.parse(wrong.out).error.code], [2, "invalid_parameters"]);
    const bad = await carrel(dir, ["pipeline", "run", "bad.yaml", "--data", data]).ended();
    assert.equal(bad.code, 2);
    assert.match(bad.err, /^bad\.yaml:\d+:\d+: .*itm/m);

    await using host = await startTestHost({ dataDir: data });
    const there = await carrel(dir, [...args, "names=[]"]).ended();
    assert.equal(there.code, 0, there.out + there.err);
    const { items } = await host.get("/api/runs?workflow=hello");
    assert.equal(items.length, 2);
    assert.ok(items.every(({ status }: { status: string }) => status === "completed"));
    for (const name of (await host.get("/api/workflows")).items) {
      assert.deepEqual(name.problems, [], name.name);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("carrel pipeline run is cancelled by Ctrl-C with 130, and answered from another process", async () => {
  const dir = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    await Deno.writeTextFile(`${dir}/asks.yaml`, ASKS);
    const run = () => carrel(dir, ["pipeline", "run", "asks.yaml", "--data", `${dir}/data`]);
    const first = run();
    await until(() => first.err().includes("--choice N"));
    first.interrupt();
    const cancelled = await first.ended();
    assert.equal(cancelled.code, 130, cancelled.err);
    assert.match(cancelled.err, /Cancelling the run/);
    assert.match(cancelled.out, /cancelled/);

    const second = run();
    await until(() => second.err().includes("--choice N"));
    const id = /run answer (run_\w+)/.exec(second.err())![1]!;
    const answer = await carrel(dir, [
      "run",
      "answer",
      id,
      "--choice",
      "2",
      "--data",
      `${dir}/data`,
    ]).ended();
    assert.equal(answer.code, 0, answer.err);
    const { code, out } = await second.ended();
    assert.deepEqual([code, out], [0, `${id}  completed\npicked: green\n`]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
