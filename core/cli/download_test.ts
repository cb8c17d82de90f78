import assert from "node:assert/strict";
import { join } from "node:path";
import { createClient } from "./client.ts";
import { download, safeName } from "./download.ts";
import { EXIT } from "./errors.ts";
import { fakeHost, TOKEN } from "./testing/host.ts";

async function setup() {
  const folder = await Deno.makeTempDir();
  const host = fakeHost();
  const client = createClient({ url: host.url, token: TOKEN });
  return {
    host,
    client,
    folder,
    path: join(folder, "book.epub"),
    left: async () => (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("download() saves a file whole and says how far it is", async () => {
  await using t = await setup();
  const steps: unknown[] = [];
  const onBytes = (written: number, size: number | undefined) => steps.push([written, size]);
  assert.equal(await download(t.client, "artifact_1", "b.epub", t.path, { onBytes }), 5);
  assert.equal(await Deno.readTextFile(t.path), "bytes");
  assert.deepEqual(steps, [[5, 5]]);
  assert.deepEqual(await t.left(), ["book.epub"]);
});

Deno.test("download() writes over a file only when it is told to", async () => {
  await using t = await setup();
  await Deno.writeTextFile(t.path, "mine");
  await assert.rejects(download(t.client, "artifact_1", "b", t.path), { code: "file_exists" });
  assert.equal(await Deno.readTextFile(t.path), "mine");
  await download(t.client, "artifact_1", "b", t.path, { force: true });
  assert.equal(await Deno.readTextFile(t.path), "bytes");
  await assert.rejects(download(t.client, "artifact_1", "b", t.folder), { exit: EXIT.usage });
});

Deno.test("download() leaves nothing behind when it breaks off", async () => {
  await using t = await setup();
  const broken = (more: HeadersInit, end: (out: ReadableStreamDefaultController) => void) =>
    createClient({
      url: t.host.url,
      fetch: () =>
        Promise.resolve(
          new Response(
            new ReadableStream({
              start(out) {
                out.enqueue(new TextEncoder().encode("half"));
                end(out);
              },
            }),
            { headers: more },
          ),
        ),
    });
  const torn = broken({}, (out) => out.error(new Error("gone")));
  await assert.rejects(download(torn, "artifact_1", "b", t.path), { code: "write_failed" });
  const short = broken({ "content-length": "9" }, (out) => out.close());
  await assert.rejects(download(short, "artifact_1", "b", t.path), { code: "cut_off" });
  assert.deepEqual(await t.left(), []);
  const nowhere = join(t.folder, "no", "where");
  await assert.rejects(download(t.client, "artifact_1", "b", nowhere), { code: "write_failed" });
  assert.deepEqual(await t.left(), []);
});

Deno.test("download() is interrupted when its signal is aborted", async () => {
  await using t = await setup();
  const stop = new AbortController();
  const signal = stop.signal;
  t.host.intercept = () =>
    new Response(
      new ReadableStream({
        start: (out) => out.enqueue(new TextEncoder().encode("half")),
      }),
    );
  const onBytes = () => stop.abort();
  await assert.rejects(
    download(t.client, "artifact_1", "b", t.path, { signal, onBytes }),
    { exit: EXIT.interrupted },
  );
  assert.deepEqual(await t.left(), []);
});

Deno.test("safeName() keeps a file where it is put", () => {
  assert.equal(safeName("../../etc/passwd"), "passwd");
  assert.equal(safeName("..\\x:y.epub"), "x_y.epub");
  assert.equal(safeName(".."), "file");
  assert.equal(safeName("a\nb"), "a_b");
});
