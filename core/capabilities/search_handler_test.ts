import assert from "node:assert/strict";
import type { Job, JobRun } from "../jobs/job.ts";
import { openStore, paragraph, save } from "../library/testing.ts";
import { failsWith } from "../plugins/testing.ts";
import { createSearch } from "../search/create_search.ts";
import type { SqlStore } from "../stores/sql.ts";
import { searchHandler, type SearchResult } from "./search_handler.ts";

async function library(work: (run: (input: unknown) => Promise<SearchResult>) => Promise<void>) {
  await using sql = await openStore();
  for (const [i, title] of ["First", "Second", "Third"].entries()) {
    const { content } = await save(sql, `https://e.org/${i}`, paragraph(`owls ${title}`), {
      title,
    });
    await put(sql, content, `2030-01-0${i + 1}T00:00:00.000Z`);
  }
  const handler = searchHandler({ sql, search: createSearch(sql) });
  await work((input) => handler.run({ job: { input, user: "user_1" } as Job } as JobRun));
}

const put = (sql: SqlStore, id: string, created: string) =>
  sql.db.updateTable("content").set({ created }).where("id", "=", id).execute();

const titles = ({ hits }: SearchResult) => hits.map(({ content }) => content.title);

Deno.test("a search job gives passages for a query, and each content once", () =>
  library(async (run) => {
    const found = await run({ query: "owls second", k: 5 });
    assert.equal(titles(found)[0], "Second");
    assert.match(found.hits[0]!.text ?? "", /owls Second/);
    assert.equal(found.hits[0]!.content.created, "2030-01-02T00:00:00.000Z");
    assert.equal(new Set(found.content_ids).size, found.content_ids.length);
    assert.deepEqual(titles(await run({ query: "owls", order: "oldest" })), [
      "First",
      "Second",
      "Third",
    ]);
    assert.deepEqual(titles(await run({ query: "owls", since: "2030-01-03" })), ["Third"]);
    assert.deepEqual((await run({ query: "badgers" })).content_ids, []);
  }));

Deno.test("a search job without a query gives contents by the time they came in", () =>
  library(async (run) => {
    assert.deepEqual(titles(await run({})), ["Third", "Second", "First"]);
    assert.deepEqual(titles(await run({ query: null, order: "oldest", k: 2 })), [
      "First",
      "Second",
    ]);
    const between = await run({ since: "2030-01-02", until: "2030-01-03T00:00:00Z" });
    assert.deepEqual(titles(between), ["Second"]);
    assert.equal(between.hits[0]!.text, null);
    assert.equal(between.content_ids.length, 1);
    assert.deepEqual(titles(await run({ type: "video" })), []);
    assert.deepEqual(titles(await run({ collection: "other" })), []);
  }));

Deno.test("a search job refuses what it does not know, by field", () =>
  library(async (run) => {
    for (
      const [input, words] of [
        [{ since: "yesterday" }, /since: expected a time/],
        [{ q: "owls" }, /q/],
        [{ k: 1000 }, /k: /],
        ["owls", /./],
      ] as const
    ) {
      await assert.rejects(run(input), failsWith("invalid_parameters", words));
    }
  }));
