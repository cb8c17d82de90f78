/** kill -9 of the host at random moments of its work, again and again, on one library. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { descendants, isAlive, type Json, startTestHost, type TestHost, until } from "./host.ts";

const KILLS = Number(Deno.env.get("KILLS") ?? 20);
const PDF = await Deno.readFile(
  new URL("../../examples/documents/provenance-in-practice.pdf", import.meta.url),
);

const page = (n: string) =>
  `<html lang="en"><title>Page ${n}</title><body><nav>menu</nav><article><h1>Page ${n}</h1>${
    `<p>Page ${n} has a paragraph that is long enough to be read as an article by anyone.</p>`
      .repeat(8)
  }</article></body></html>`;

/** Gives the host the work of the demo: three kinds of documents, and a book of what is there already. */
async function giveWork(host: TestHost, round: number, accepted: Map<string, Json>): Promise<void> {
  const take = (job: Json) => accepted.set(job.id, job);
  for (let n = 0; n < 3; n++) {
    const name = `${round}-${n}`;
    take(await host.upload(`${name}.md`, `# Note ${name}\n\nA note of its own: ${name}.\n`));
    take(await host.upload(`${name}.html`, page(name), "text/html"));
    take(
      await host.upload(
        `${name}.pdf`,
        new Uint8Array([...PDF, ...new TextEncoder().encode(`\n%${name}\n`)]),
      ),
    );
    const { items } = await host.get("/api/content?limit=3");
    if (items.length > 0) {
      const { job } = await host.post("/api/content/export", {
        source_ids: items.map((item: Json) => item.id),
        format: "ebook",
        parameters: { title: `Book ${name}` },
      });
      take(job);
    }
  }
}

Deno.test(`the library is whole after ${KILLS} times kill -9`, async () => {
  const dataDir = await Deno.makeTempDir({ prefix: "carrel-kill-" });
  const accepted = new Map<string, Json>();
  const strays = new Set<number>();
  try {
    {
      // Bundles the plugins, which a library does once: the kills below are meant for the work after that.
      await using host = await startTestHost({ dataDir });
      await giveWork(host, -1, accepted);
      for (const job of accepted.values()) await host.ended(job);
    }
    for (let round = 0; round < KILLS; round++) {
      const host = await startTestHost({ dataDir });
      const working = giveWork(host, round, accepted).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 1_500));
      for (const pid of descendants(host.pid)) strays.add(pid);
      await host.kill();
      await working;
    }
    await until(() => [...strays].every((pid) => !isAlive(pid)));

    const ends: Record<string, number> = {};
    {
      await using host = await startTestHost({ dataDir });
      for (const job of accepted.values()) {
        const ended = await host.ended(job);
        ends[ended.status] = (ends[ended.status] ?? 0) + 1;
        assert.equal(ended.status, "completed", JSON.stringify(ended.error));
      }
      // Those whose answer was cut off by a kill.
      await until(async () => {
        const { items } = await host.get("/api/jobs?limit=200");
        return items.every((j: Json) => ["completed", "failed", "cancelled"].includes(j.status));
      });
    }
    console.log(`${accepted.size} accepted jobs: ${JSON.stringify(ends)}`);
    await checkLibrary(dataDir);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});

/** Nothing twice, nothing missing. */
async function checkLibrary(dataDir: string): Promise<void> {
  const db = new DatabaseSync(`${dataDir}/library.db`, { readOnly: true });
  const all = (sql: string) => db.prepare(sql).all() as Json[];
  try {
    assert.equal(all("pragma integrity_check")[0].integrity_check, "ok");
    assert.deepEqual(
      all("select url from content group by collection, url having count(*) > 1"),
      [],
    );
    assert.deepEqual(
      all("select content_id from revision group by content_id having count(*) > 1"),
      [],
    );
    assert.deepEqual(
      all("select revision_id from chunk group by revision_id, position having count(*) > 1"),
      [],
    );
    assert.deepEqual(all("select job_id from artifact group by job_id having count(*) > 1"), []);
    assert.deepEqual(all("select id from job where status = 'failed'"), []);
    assert.deepEqual(
      all(
        "select id from job where status = 'completed' and kind = 'export' and id not in (select job_id from artifact)",
      ),
      [],
    );
    const digests = new Set<string>();
    for (const row of all("select original_digest, text_digest from revision")) {
      digests.add(row.original_digest).add(row.text_digest);
    }
    for (const row of all("select files_json from artifact")) {
      for (const file of JSON.parse(row.files_json)) digests.add(file.digest);
    }
    assert.ok(digests.size > 0);
    const blobs = new Map<string, string>();
    for await (const path of files(`${dataDir}/objects`)) blobs.set(path.split("/").at(-1)!, path);
    for (const digest of digests) {
      const path = [...blobs].find(([name]) => digest.endsWith(name) || name === digest)?.[1];
      assert.ok(path, `the blob ${digest} is referenced and missing`);
      const hash = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
      assert.equal(hash, digest);
    }
  } finally {
    db.close();
  }
}

async function* files(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}
