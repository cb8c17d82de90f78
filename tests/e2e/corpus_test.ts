/** Every real input beside the project imports, or fails by name; skipped where the inputs are not there. */
import assert from "node:assert/strict";
import { SHARED, startSite, startTestHost } from "./host.ts";

const there = await Deno.stat(SHARED).then(() => true, () => false);

Deno.test({
  name: "all PDFs import or fail cleanly",
  ignore: !there,
  async fn() {
    await using host = await startTestHost();
    const names = [...Deno.readDirSync(`${SHARED}/pdf`)].map((e) => e.name).filter((n) =>
      n.endsWith(".pdf")
    );
    assert.ok(names.length >= 25);
    const ends: Record<string, string> = {};
    for (const name of names) {
      const bytes = await Deno.readFile(`${SHARED}/pdf/${name}`);
      const form = new FormData();
      form.append("file", new File([bytes], name, { type: "application/pdf" }));
      const response = await host.fetch("/api/content/import", { method: "POST", body: form });
      const answer = await response.json();
      if (!response.ok) {
        ends[name] = answer.code;
        continue;
      }
      const job = await host.ended(answer.job);
      ends[name] = job.status === "completed" ? "completed" : job.error.code;
    }
    const allowed = new Set([
      "completed",
      "encrypted",
      "empty",
      "damaged",
      "too_large",
      "unsupported_media_type",
      "out_of_memory",
      "timed_out",
      "cpu_exceeded",
      "output_exceeded",
    ]);
    for (const [name, end] of Object.entries(ends)) assert.ok(allowed.has(end), `${name}: ${end}`);
    const completed = Object.values(ends).filter((end) => end === "completed").length;
    assert.ok(completed >= 15, JSON.stringify(ends));
    assert.equal((await host.get("/api/content?limit=100")).items.length, completed);
    assert.equal((await host.get("/healthz")).status, "ok");
  },
});

Deno.test({
  name: "all saved web pages import",
  ignore: !there,
  async fn() {
    const names = [...Deno.readDirSync(`${SHARED}/webpages`)].map((e) => e.name);
    await using site = startSite((_request, path) =>
      new Response(Deno.readFileSync(`${SHARED}/webpages${path}/source.html`), {
        headers: { "content-type": "text/html; charset=utf-8" },
      })
    );
    await using host = await startTestHost({ allowPrivate: [site.host] });
    const { jobs } = await host.post("/api/content/import", {
      urls: names.map((name) => `${site.url}/${name}`),
    });
    for (const job of jobs) {
      const ended = await host.ended(job);
      assert.equal(ended.status, "completed", `${ended.input.url}: ${JSON.stringify(ended.error)}`);
    }
    assert.equal((await host.get("/api/content?limit=100")).items.length, names.length);
  },
});
