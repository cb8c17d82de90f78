import assert from "node:assert/strict";
import { downloadSource } from "./download_source.ts";
import { PluginError } from "./errors.ts";
import { fakeContext } from "./testing.ts";

async function withServer(body: Uint8Array, use: (url: string) => Promise<void>): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) =>
      new Response(body.slice(), {
        headers: { "content-type": request.headers.get("accept") ?? "" },
      }),
  );
  try {
    await use(`http://127.0.0.1:${server.addr.port}/`);
  } finally {
    await server.shutdown();
  }
}

const page = { what: "page", accept: "text/html", maxMb: 1 };

Deno.test("downloadSource() brings the bytes and tells how far it is", () =>
  withServer(new Uint8Array(1000), async (url) => {
    const ctx = fakeContext();
    const raw = await downloadSource({ url }, ctx, page);
    assert.equal(raw.bytes.length, 1000);
    assert.equal(raw.mediaType, "text/html");
    assert.deepEqual(ctx.progressed[0], { fraction: 0, message: "asking the server for the page" });
    assert.deepEqual(ctx.progressed.at(-1), { fraction: 1, message: "reading the page" });
  }));

Deno.test("downloadSource() takes no more than its bound, or the setting where there is one", () =>
  withServer(new Uint8Array(2 * 1024 * 1024), async (url) => {
    const tooLarge = (error: unknown) => error instanceof PluginError && error.code === "too_large";
    await assert.rejects(downloadSource({ url }, fakeContext(), page), tooLarge);
    const wider = fakeContext({ config: { max_mb: 2 } });
    assert.equal((await downloadSource({ url }, wider, page)).bytes.length, 2 * 1024 * 1024);
  }));
