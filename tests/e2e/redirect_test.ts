/** Redirects to other sites: followed where the server really sends there, and refused where only the plugin says so. */
import assert from "node:assert/strict";
import { type Json, type Site, startSite, startTestHost, type TestHost } from "./host.ts";

const ID = "import.mover";

/** Says of its source that it has moved, wherever `?claim=` has it, unless it is already there. */
const CODE = `import { definePlugin, PluginError } from "@carrel/sdk";
export default definePlugin.import({
  download: async (source, ctx) => {
    const claim = new URL(source.url).searchParams.get("claim");
    if (claim !== null) {
      throw new PluginError("redirected", "It has moved.", { data: { url: claim } });
    }
    const response = await fetch(source.url, { signal: ctx.signal });
    return {
      bytes: new Uint8Array(await response.arrayBuffer()),
      mediaType: "text/plain",
      url: source.url,
    };
  },
  extract: (raw) => ({
    type: "document",
    title: "Moved",
    markdown: new TextDecoder().decode(raw.bytes),
    metadata: {},
  }),
});
`;

const PAGE = `<html><head><title>Here</title></head><body><main><h1>Here</h1><p>${
  "A page that has moved and was found again. ".repeat(20)
}</p></main></body></html>`;

const page = () => new Response(PAGE, { headers: { "content-type": "text/html" } });
const to = (url: string, status = 302) =>
  new Response(null, { status, headers: { location: url } });

async function withHost(
  sites: readonly Site[],
  body: (host: TestHost) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "carrel-test-" });
  try {
    await Deno.writeTextFile(
      `${folder}/carrel.yaml`,
      `id: ${ID}\nversion: 1.0.0\nname: Mover\ndescription: Says where things are.\nentry: mod.ts\n` +
        `match: ["http://*"]\npermissions: {net: ["\${source.site}"]}\n`,
    );
    await Deno.writeTextFile(`${folder}/mod.ts`, CODE);
    await using host = await startTestHost({ allowPrivate: sites.map((site) => site.host) });
    const { consent } = await host.post("/api/plugins/install", { url: folder });
    await host.post(`/api/plugins/consents/${consent.id}`, {
      decision: "grant",
      grants: ["net:${source.site}"],
    });
    await body(host);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a redirect to another site is followed once the host has seen it", async () => {
  await using second = startSite(() => page());
  await using first = startSite((_request, path) =>
    path === "/start" ? to("/middle", 307) : to(`${second.url}/end`)
  );
  await withHost([first, second], async (host) => {
    const job = await host.ended(await host.importUrl(`${first.url}/start`));
    assert.equal(job.status, "completed", JSON.stringify(job.error));
    const content = await host.get(`/api/content/${job.result.content}`);
    assert.equal(content.title, "Here");
    assert.equal(second.hits.get("/end"), 1);
  });
});

Deno.test("a site that only the plugin names is not granted", async (t) => {
  await using attacker = startSite(() => page());
  await using other = startSite((_request, path) => path === "/onward" ? to(attacker.url) : page());
  await using site = startSite((request, path) => {
    switch (path) {
      case "/moved":
        return to(`${other.url}/real`);
      case "/login":
        return new Response("log in first", { status: 403 });
      case "/browser":
        return request.headers.get("user-agent")?.startsWith("Carrel") ? page() : to(attacker.url);
      case "/circle":
        return to(`/circle?${crypto.randomUUID()}`);
      case "/endless":
        return new Response(
          new ReadableStream({ pull: (out) => out.enqueue(new Uint8Array(65536)) }),
        );
      default:
        return page();
    }
  });
  await withHost([attacker, other, site], async (host) => {
    const claim = async (path: string, url: string): Promise<Json> =>
      await host.ended(
        await host.importUrl(`${site.url}${path}?claim=${encodeURIComponent(url)}`, { plugin: ID }),
      );
    const cases: Record<string, RegExp> = {
      "/plain": /answers it without a redirect\. If you trust 127\.0\.0\.1:\d+, import that/,
      "/login": /answers it without a redirect/,
      "/browser": /answers it without a redirect/,
      "/endless": /answers it without a redirect/,
      "/moved": /sends it to 127\.0\.0\.1/,
    };
    for (const [path, words] of Object.entries(cases)) {
      await t.step(path, async () => {
        const job = await claim(path, `${attacker.url}/collect?stolen=1`);
        assert.equal(job.status, "failed");
        assert.equal(job.error.code, "redirected", JSON.stringify(job.error));
        assert.match(job.error.message, words);
      });
    }
    await t.step("a circle", async () => {
      const job = await claim("/circle", attacker.url);
      assert.match(job.error.code, /^(redirected|too_many_redirects)$/);
    });
    await t.step("of a redirect that is there, the server's address counts", async () => {
      const job = await claim("/moved", `${other.url}/onward`);
      assert.equal(job.status, "completed", JSON.stringify(job.error));
      assert.deepEqual([...other.hits.keys()], ["/real"]);
    });
    await t.step("a private address that is not open", async () => {
      const job = await claim("/plain", "http://10.0.0.1/");
      assert.equal(job.error.code, "redirected");
    });
    assert.equal(attacker.hits.size, 0);
    assert.equal((await host.get("/healthz")).status, "ok");
  });
});

Deno.test("a redirect to a private address that is not open says so", async () => {
  await using shut = startSite(() => page());
  await using site = startSite(() => to(`${shut.url}/`));
  await withHost([site], async (host) => {
    for (const plugin of [{}, { plugin: ID }]) {
      const url = `${site.url}/x${plugin.plugin ? `?claim=${encodeURIComponent(shut.url)}` : ""}`;
      const job = await host.ended(await host.importUrl(url, plugin));
      assert.equal(job.error.code, "private_address", JSON.stringify(job.error));
      assert.match(job.error.message, /--allow-private/);
    }
    assert.equal(shut.hits.size, 0);
  });
});
