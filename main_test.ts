import assert from "node:assert/strict";
import { join } from "node:path";

const MAIN = join(import.meta.dirname!, "main.ts");
const ROOT = import.meta.dirname!;

/** `carrel` as a process of its own, as a person starts it. */
function start(args: string[], env: Record<string, string> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-P=host", MAIN, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function carrel(args: string[], env?: Record<string, string>) {
  const { code, stdout, stderr } = await start(args, env).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** Lines of a stream until one matches; the rest is read and dropped by `done`. */
async function lineOf(stream: ReadableStream<Uint8Array>, wanted: RegExp) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!wanted.test(text)) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`ended without ${wanted}: ${text}`);
    text += value;
  }
  return { text, done: () => reader.cancel() };
}

Deno.test("carrel imports, searches, exports and tells the lineage when it is the host itself", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const data = join(folder, "library");
    const note = join(folder, "note.md");
    await Deno.writeTextFile(note, "# On desks\n\nA carrel is a closed desk.\n");
    // As `deno task` starts it: in the program's folder, with the caller's in INIT_CWD.
    const here = { INIT_CWD: folder };
    const imported = await carrel(["import", "note.md", "--data", "library"], here);
    assert.equal(imported.code, 0, imported.err);
    const [content] = imported.out.split("  ");
    assert.match(content!, /^content_/);
    assert.match(imported.err, /First start of this library/);

    const found = await carrel(["search", "closed", "desk"], { CARREL_DATA: data });
    assert.match(found.out, /On desks[\s\S]*a \[closed\] \[desk\]/);

    const book = join(folder, "book.epub");
    const exported = await carrel(
      ["export", content!, "-o", "book.epub", "--json", "--data", "library"],
      here,
    );
    assert.equal(exported.code, 0, exported.err + exported.out);
    const { artifact } = JSON.parse(exported.out);
    assert.equal((await Deno.stat(book)).size, artifact.size);

    const lineage = await carrel(["provenance", artifact.id, "--data", data]);
    assert.match(
      lineage.out,
      /^Artifact [\s\S]*├─ has Chapter On desks[\s\S]*from Document On desks/,
    );
    const again = await carrel(["import", note, "--data", data]);
    assert.equal(again.out, `${content}  ${note}  unchanged\n`);
    const doctor = await carrel(["doctor", "--data", data]);
    assert.equal(doctor.code, 0, doctor.out);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("carrel serve takes the commands of others, and stops cleanly when it is told to", async () => {
  const data = await Deno.makeTempDir();
  const server = start(["serve", "--port", "0", "--json", "--data", data]);
  try {
    const said = await lineOf(server.stdout, /\n/);
    const { url, admin_token: token } = JSON.parse(said.text);
    await said.done();
    await server.stderr.cancel();

    // By the data folder, and by the address.
    const doctor = await carrel(["doctor", "--data", data]);
    assert.match(doctor.out, new RegExp(`runs as process ${server.pid} on port`));
    const list = await carrel(["plugin", "list", "--url", url], { CARREL_TOKEN: token });
    assert.match(list.out, /● +import\.text/);
    const second = await carrel(["serve", "--port", "0", "--data", data]);
    assert.equal(second.code, 4, second.err);
    assert.match(second.err, new RegExp(`process ${server.pid} at ${url} \\(locked\\)`));
    const elsewhere = await carrel(["serve", "--port", new URL(url).port, "--data", `${data}2`]);
    await Deno.remove(`${data}2`, { recursive: true });
    assert.equal(elsewhere.code, 1, elsewhere.err);
    assert.match(elsewhere.err, /the port is taken[\s\S]*--port 0/);

    server.kill("SIGINT");
    assert.equal((await server.status).code, 0);
    await assert.rejects(Deno.stat(join(data, "host.json")), Deno.errors.NotFound);
  } finally {
    try {
      server.kill("SIGKILL");
    } catch {
      // It has ended, as it should.
    }
    await server.status;
    await Deno.remove(data, { recursive: true });
  }
});

Deno.test("carrel installs nothing when there is nobody to ask about its permissions", async () => {
  const data = await Deno.makeTempDir();
  try {
    const folder = join(ROOT, "examples", "plugins", "hello_import");
    const { code, err } = await carrel(["plugin", "install", folder, "--data", data]);
    assert.equal(code, 3, err);
    assert.match(err, /add --yes, and what you grant of: --allow-/);
    const info = await carrel(["plugin", "info", "import.hello", "--data", data]);
    assert.equal(info.code, 1);
    assert.match(info.err, /not_found/);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
});
