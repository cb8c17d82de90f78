/** Bad input ends as a failed job or a problem document with a stable code; everything else stays whole. */
import assert from "node:assert/strict";
import { type Json, startSite, startTestHost, type TestHost } from "./host.ts";

const ARTICLE = `<html lang="en"><title>Good</title><body><article>${
  "<p>A good page stays good while others fail, and this sentence makes it an article.</p>".repeat(
    6,
  )
}</article></body></html>`;

const html = (body: BodyInit, init: ResponseInit = {}) =>
  new Response(body, { ...init, headers: { "content-type": "text/html", ...init.headers } });

/** 2 GB, as fast as it is read. */
function endless(): Response {
  const piece = new Uint8Array(1 << 20).fill(97);
  let left = 2048;
  return html(
    new ReadableStream({
      pull(controller) {
        if (left-- > 0) controller.enqueue(piece);
        else controller.close();
      },
    }),
  );
}

function site() {
  return startSite((_request, path) => {
    switch (path) {
      case "/good":
        return html(ARTICLE);
      case "/missing":
        return html("<h1>no</h1>", { status: 404 });
      case "/broken":
        return html("<h1>no</h1>", { status: 503 });
      case "/loop":
        return new Response(null, { status: 302, headers: { location: "/loop" } });
      case "/huge":
        return endless();
      case "/noise":
        return html(crypto.getRandomValues(new Uint8Array(60_000)));
      case "/nothing":
        return html("");
      case "/latin1":
        return new Response(
          new Uint8Array(
            [...`<html><title>Caf`].map((c) => c.charCodeAt(0)).concat(
              [0xe9],
              [...`</title><body><article><p>${"Le caf".repeat(1)}`].map((c) => c.charCodeAt(0)),
              [0xe9],
              [...` ouvre t`].map((c) => c.charCodeAt(0)),
              [0xf4],
              [...`t, et le texte est assez long pour faire un article entier.</p></article>`].map((
                c,
              ) => c.charCodeAt(0)),
            ),
          ),
          { headers: { "content-type": "text/html; charset=utf-8" } },
        );
      default:
        return new Response("?", { status: 404 });
    }
  });
}

async function refused(host: TestHost, path: string, body: unknown): Promise<Json> {
  const response = await host.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  assert.equal(response.headers.get("content-type")?.split(";")[0], "application/problem+json");
  const problem = await response.json();
  assert.equal(problem.status, response.status);
  assert.ok(problem.detail.length > 10 && problem.code, JSON.stringify(problem));
  return problem;
}

Deno.test("bad URLs fail by name, and the good ones beside them do not notice", async (t) => {
  await using pages = site();
  await using host = await startTestHost({ allowPrivate: [pages.host] });
  const good = await host.importUrl(`${pages.url}/good`);
  const cases: Record<string, string[]> = {
    "/missing": ["http_error"],
    "/loop": ["too_many_redirects"],
    "/huge": ["too_large"],
    "/noise": ["unreadable", "unsupported_media_type", "damaged"],
    "/nothing": ["empty"],
  };
  for (const [path, codes] of Object.entries(cases)) {
    await t.step(path, async () => {
      const job = await host.ended(await host.importUrl(`${pages.url}${path}`));
      assert.equal(job.status, "failed");
      assert.ok(codes.includes(job.error.code), JSON.stringify(job.error));
      assert.match(job.error.message, /^Cannot .+: .+/);
    });
  }
  await t.step("a server that does not answer is tried again, then given up", async () => {
    // Nothing listens there: the listener was closed.
    const job = await host.importUrl(`${pages.url}/broken`);
    const seen = await (await host.fetch(`/api/jobs/${job.id}`)).json();
    assert.ok(["queued", "running", "retrying"].includes(seen.status));
    await host.fetch(`/api/jobs/${job.id}`, { method: "DELETE" });
    assert.equal((await host.ended(job)).status, "cancelled");
  });
  await t.step("a wrong encoding is read as what it is", async () => {
    const job = await host.ended(await host.importUrl(`${pages.url}/latin1`));
    assert.equal(job.status, "completed", JSON.stringify(job.error));
    const content = await host.get(`/api/content/${job.result.content}`);
    assert.equal(content.title, "Café");
  });
  assert.equal((await host.ended(good)).status, "completed");
  assert.equal((await host.get("/api/content")).items.length, 2);
  assert.equal((await host.get("/healthz")).status, "ok");
});

Deno.test("requests that cannot become a job are refused with a problem document", async () => {
  await using host = await startTestHost();
  const importing = "/api/content/import";
  assert.equal((await refused(host, importing, { url: "not a url" })).code, "invalid_url");
  assert.equal((await refused(host, importing, { url: "file:///etc/passwd" })).code, "invalid_url");
  assert.equal(
    (await refused(host, importing, { url: "http://127.0.0.1:1/" })).code,
    "private_address",
  );
  assert.equal((await refused(host, importing, { url: "http://[::1]/" })).code, "private_address");
  assert.equal(
    (await refused(host, importing, { url: "http://2130706433/" })).code,
    "private_address",
  );
  assert.equal(
    (await refused(host, importing, { url: "http://localhost/" })).code,
    "private_address",
  );
  assert.equal(
    (await refused(host, importing, { uri: "https://example.org" })).code,
    "bad_request",
  );
  assert.equal((await refused(host, importing, "{")).code, "bad_request");
  assert.equal(
    (await refused(host, importing, { url: "https://x.example", plugin: "no.such" })).code,
    "not_found",
  );
  const exporting = "/api/content/export";
  assert.equal((await refused(host, exporting, { source_ids: [] })).code, "bad_request");
  assert.equal(
    (await refused(host, exporting, { source_ids: ["content_x"] })).code,
    "source_missing",
  );
  assert.equal((await host.fetch("/api/content/content_x")).status, 404);
  assert.equal((await host.fetch("/api/nowhere")).status, 404);
});

Deno.test("uploads that lie or are broken fail by name", async () => {
  await using host = await startTestHost();
  const pdf = await Deno.readFile(
    new URL("../../examples/documents/provenance-in-practice.pdf", import.meta.url),
  );
  // A PDF that is said to be a page is read as what it is.
  const lying = await host.ended(await host.upload("page.html", pdf, "text/html"));
  assert.equal(lying.status, "completed", JSON.stringify(lying.error));
  assert.equal(
    (await host.get(`/api/content/${lying.result.content}`)).files[0].media_type,
    "application/pdf",
  );

  const cut = await host.ended(await host.upload("cut.pdf", pdf.slice(0, 500)));
  assert.equal(cut.status, "failed");
  assert.equal(cut.error.code, "damaged");

  const form = new FormData();
  form.append(
    "file",
    new File([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0])], "x.md"),
  );
  const picture = await host.fetch("/api/content/import", { method: "POST", body: form });
  assert.equal(picture.status, 415);
  assert.equal((await picture.json()).code, "unsupported_media_type");

  const empty = new FormData();
  empty.append("file", new File([], "empty.md"));
  const nothing = await host.fetch("/api/content/import", { method: "POST", body: empty });
  assert.equal((await nothing.json()).code, "empty");
});

Deno.test("a manifest with an unknown key is refused with its line", async () => {
  await using host = await startTestHost();
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/mod.ts`, "export default {}");
    await Deno.writeTextFile(
      `${folder}/carrel.yaml`,
      "id: import.odd\nversion: 1.0.0\nname: Odd\ndescription: Odd\nentry: mod.ts\npermisions: {}\n",
    );
    const problem = await refused(host, "/api/plugins/install", { url: folder });
    assert.equal(problem.code, "invalid_manifest");
    assert.match(problem.detail, /carrel\.yaml:6/);
    assert.match(problem.detail, /permisions/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
