import assert from "node:assert/strict";
import { openWorkshop } from "../jobs/testing.ts";
import { deleteContent } from "../library/delete.ts";
import { type ImportedContent, saveContent } from "../library/save_content.ts";
import { job, plugin } from "../library/testing.ts";
import { createEventLog } from "./create_event_log.ts";

const TITLE = "Xylophones";
const imported: ImportedContent = {
  input: { url: "https://example.org/a", collection: "default", pinned: false },
  download: {
    digest: "a".repeat(64),
    size: 3,
    mediaType: "text/markdown",
    name: "a.md",
    url: "https://example.org/a",
  },
  mediaType: "text/markdown",
  extracted: { type: "document", title: TITLE, markdown: "Text.", metadata: {} },
  passages: [],
  text: { digest: "b".repeat(64), size: 5 },
  plugin,
};

Deno.test("saveContent() logs new content once, and deleteContent() takes out of the log what it said of it", async () => {
  await using shop = await openWorkshop();
  const engine = shop.engine({});
  await using log = createEventLog({ sql: shop.sql, engine: () => engine });
  const save = () => shop.sql.transaction((tx) => saveContent(tx, imported, job, log));
  const { content, revision } = await save();
  await save();
  assert.deepEqual(
    (await log.read(0)).map(({ name, subject, payload, user }) => ({
      name,
      subject,
      payload,
      user,
    })),
    [{
      name: "content.imported",
      subject: content,
      payload: {
        title: TITLE,
        type: "document",
        url: "https://example.org/a",
        collection: "default",
        revision,
        number: 1,
        job: job.id,
      },
      user: job.user,
    }],
  );
  // What an import was about stands in its own event too.
  const { id } = await engine.jobs.add({ kind: "import", input: imported.input, user: job.user });
  await engine.jobs.cancel(id);
  await shop.sql.transaction((tx) =>
    log.append(tx, { name: "job.failed", subject: id, payload: { error: TITLE }, user: job.user })
  );
  await deleteContent(shop.sql, content, false, { log, user: "user_2" });
  assert.match(JSON.stringify(await log.read(0)), /Xylophones/);
  await deleteContent(shop.sql, content, true, { log, user: "user_2" });
  const events = await log.read(0);
  assert.doesNotMatch(JSON.stringify(events), /Xylophones|example\.org/);
  assert.deepEqual(events.map(({ name, payload }) => [name, payload]), [
    ["content.imported", { redacted: true }],
    ["job.failed", { redacted: true }],
    ["content.deleted", { redacted: true }],
    ["content.deleted", { hard: true }],
  ]);
});
