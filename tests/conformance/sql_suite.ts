/** What every sql store must do. */
import assert from "node:assert/strict";
import type { Insertable } from "kysely";
import type { ChunkTable, ContentTable, SqlStore, Tx } from "../../core/stores/sql.ts";

type Chunk = Partial<Insertable<ChunkTable>> & { readonly text: string };
type Content = Partial<Insertable<ContentTable>> & { readonly id: string };

const user = (name: string) => ({ id: `user_${name}`, name, role: "reader", created: "now" });

async function addContent(tx: Tx, content: Content, chunks: readonly Chunk[]): Promise<void> {
  const { id } = content;
  await tx.insertInto("content").values({
    url: `https://example.org/${id}`,
    type: "document",
    title: "untitled",
    authors_json: "[]",
    published: null,
    language: "en",
    summary: null,
    licence: null,
    status: "ready",
    metadata_json: "{}",
    collection: "default",
    user_id: "user_1",
    revision: `${id}.1`,
    created: "now",
    updated: "now",
    ...content,
  }).execute();
  await addRevision(tx, id, 1, chunks);
}

async function addRevision(
  tx: Tx,
  content: string,
  number: number,
  chunks: readonly Chunk[],
): Promise<void> {
  const revision = `${content}.${number}`;
  await tx.insertInto("revision").values({
    id: revision,
    content_id: content,
    number,
    original_digest: "0",
    original_media_type: "text/plain",
    original_name: "a.txt",
    original_size: 1,
    text_digest: "0",
    text_size: 1,
    title: "untitled",
    metadata_json: "{}",
    warnings_json: "[]",
    plugin: "import.text",
    plugin_digest: "0",
    job_id: "import_1",
    created: "now",
  }).execute();
  for (const [position, chunk] of chunks.entries()) {
    await tx.insertInto("chunk").values({
      id: `${revision}/${position}`,
      content_id: content,
      revision_id: revision,
      position,
      start: 0,
      end: chunk.text.length,
      page: null,
      heading: null,
      ...chunk,
    }).execute();
  }
}

/** @param open opens a new store, migrated and empty */
export function sqlSuite(name: string, open: () => Promise<SqlStore>): void {
  const test = (title: string, run: (store: SqlStore) => Promise<void>) =>
    Deno.test(`${name}: ${title}`, async () => {
      await using store = await open();
      await run(store);
    });
  const find = async (store: SqlStore, query: string, more: object = {}) =>
    (await store.searchText(query, { limit: 10, ...more })).map(({ chunkId }) => chunkId);

  test("transaction() commits all or nothing", async (store) => {
    const names = async () => (await store.db.selectFrom("user").select("name").execute()).length;
    assert.equal(
      await store.transaction(async (tx) => {
        await tx.insertInto("user").values([user("a"), user("b")]).execute();
        return "value";
      }),
      "value",
    );
    assert.equal(await names(), 2);
    await assert.rejects(
      store.transaction(async (tx) => {
        await tx.insertInto("user").values(user("c")).execute();
        throw new Error("no");
      }),
      /no/,
    );
    await assert.rejects(store.transaction(async (tx) => {
      await tx.insertInto("user").values(user("d")).execute();
      await tx.insertInto("user").values(user("a")).execute();
    }));
    assert.equal(await names(), 2);
  });

  test("transaction() keeps concurrent ones apart", async (store) => {
    await store.db.insertInto("user").values({ ...user("count"), created: "0" }).execute();
    await Promise.all(Array.from({ length: 50 }, () =>
      store.transaction(async (tx) => {
        const { created } = await tx.selectFrom("user").select("created")
          .where("name", "=", "count").executeTakeFirstOrThrow();
        await new Promise((resolve) => setTimeout(resolve));
        await tx.updateTable("user").set({ created: String(Number(created) + 1) })
          .where("name", "=", "count").execute();
      })));
    const { created } = await store.db.selectFrom("user").select("created")
      .executeTakeFirstOrThrow();
    assert.equal(created, "50");
  });

  test("values come back as they were: large, empty, and of any script", async (store) => {
    const texts = [
      "",
      "'; drop table user; --",
      "日本語 🎉 \u{10ffff}",
      "x".repeat(5_000_000),
      "\n\t\\%_",
    ];
    for (const [index, text] of texts.entries()) {
      await store.db.insertInto("collection")
        .values({ id: `${index}`, name: text, user_id: "u", shared: 0, created: "now" }).execute();
      const row = await store.db.selectFrom("collection").selectAll().where("name", "=", text)
        .executeTakeFirstOrThrow();
      assert.equal(row.id, `${index}`);
      assert.equal(row.name, text);
    }
  });

  test("constraints: one content a URL in its collection, one revision of a number, known statuses", async (store) => {
    const add = (content: Content) => store.transaction((tx) => addContent(tx, content, []));
    await add({ id: "a", url: "https://x" });
    await add({ id: "b", url: "https://x", collection: "other" });
    await assert.rejects(add({ id: "c", url: "https://x" }));
    await assert.rejects(add({ id: "d", status: "odd" }));
    await assert.rejects(store.transaction((tx) => addRevision(tx, "a", 1, [])));
    await assert.rejects(store.transaction((tx) => addRevision(tx, "none", 1, [])));
  });

  test("lists page by key without a gap while rows are added", async (store) => {
    for (let index = 0; index < 25; index++) {
      await store.db.insertInto("user").values(user(`${index}`)).execute();
    }
    const seen: string[] = [];
    for (let last = "~";;) {
      const page = await store.db.selectFrom("user").select("id").where("id", "<", last)
        .orderBy("id", "desc").limit(7).execute();
      if (page.length === 0) break;
      seen.push(...page.map(({ id }) => id));
      last = seen.at(-1)!;
      await store.db.insertInto("user").values(user(`~${seen.length}`)).execute();
    }
    assert.equal(new Set(seen).size, 25);
    assert.deepEqual(seen, [...seen].sort().reverse());
  });

  test("deleting a content takes its revisions, chunks and words with it", async (store) => {
    await store.transaction((tx) => addContent(tx, { id: "a" }, [{ text: "kingfisher" }]));
    await store.transaction((tx) => addContent(tx, { id: "b" }, [{ text: "kingfisher" }]));
    await store.db.deleteFrom("content").where("id", "=", "a").execute();
    assert.deepEqual(await find(store, "kingfisher"), ["b.1/0"]);
    assert.equal((await store.db.selectFrom("chunk").selectAll().execute()).length, 1);
    assert.equal((await store.db.selectFrom("revision").selectAll().execute()).length, 1);
  });

  test("searchText() finds words of the text, the heading and the title, best first", async (store) => {
    await store.transaction(async (tx) => {
      await addContent(tx, { id: "a", title: "Birds of the river" }, [
        { text: "A heron stands in the shallow water and waits for fish." },
        { text: "A kingfisher, a kingfisher! Two kingfishers.", heading: "Kingfisher" },
        {
          text: "Nothing but one kingfisher among a great many other words, none of which matter.",
        },
      ]);
    });
    assert.deepEqual(await find(store, "kingfisher"), ["a.1/1", "a.1/2"]);
    assert.deepEqual(await find(store, "river heron"), ["a.1/0"]);
    assert.equal((await find(store, "birds")).length, 3);
    const [best, next] = await store.searchText("kingfisher", { limit: 2 });
    assert.ok(best!.score > next!.score);
  });

  test("searchText() wants all words, takes the last as begun, else any of them", async (store) => {
    await store.transaction((tx) =>
      addContent(tx, { id: "a" }, [
        { text: "red apple" },
        { text: "red cherry" },
        { text: "green application" },
      ])
    );
    assert.deepEqual(await find(store, "red apple"), ["a.1/0"]);
    assert.deepEqual(await find(store, "green appl"), ["a.1/2"]);
    assert.deepEqual((await find(store, "red banana")).sort(), ["a.1/0", "a.1/1"]);
    assert.deepEqual(await find(store, "banana"), []);
  });

  test("searchText() overlooks case and diacritics", async (store) => {
    await store.transaction((tx) =>
      addContent(tx, { id: "a" }, [{ text: "Über die Flüsse: café, naïve, ÅNGSTRÖM" }])
    );
    for (const query of ["uber", "FLUSSE", "cafe", "cafe\u0301", "naïve", "angstrom"]) {
      assert.deepEqual(await find(store, query), ["a.1/0"], query);
    }
  });

  test("searchText() never throws on odd input", async (store) => {
    await store.transaction((tx) => addContent(tx, { id: "a" }, [{ text: "plain words here" }]));
    const odd = [
      "",
      "   ",
      '"',
      "'",
      '"unclosed',
      "AND",
      "OR NOT",
      "NEAR(",
      "a*b^c:d",
      "text:plain",
      "-plain",
      "(plain",
      "plain)",
      "{plain}",
      "🎉",
      "\u0000",
      "\u0301",
      "%",
      "plain\u0000words",
      "\ud800",
      "; drop table chunk; --",
      "x".repeat(100_000),
      "word ".repeat(10_000),
    ];
    for (const query of odd) assert.ok(Array.isArray(await find(store, query)), query);
    assert.deepEqual(await find(store, 'text:"plain" (words)'), ["a.1/0"]);
  });

  test("searchText() answers only current revisions of ready content, under the filters", async (store) => {
    await store.transaction(async (tx) => {
      await addContent(tx, { id: "a", language: "de", type: "webpage" }, [{ text: "old otter" }]);
      await addContent(tx, { id: "b", collection: "other" }, [{ text: "other otter" }]);
      await addContent(tx, { id: "c", status: "deleted" }, [{ text: "deleted otter" }]);
    });
    assert.deepEqual((await find(store, "otter")).sort(), ["a.1/0", "b.1/0"]);
    assert.deepEqual(await find(store, "otter", { collection: "other" }), ["b.1/0"]);
    assert.deepEqual(await find(store, "otter", { language: "de" }), ["a.1/0"]);
    assert.deepEqual(await find(store, "otter", { type: "document" }), ["b.1/0"]);
    assert.deepEqual(await find(store, "otter", { type: "document", language: "de" }), []);
    await store.transaction(async (tx) => {
      await addRevision(tx, "a", 2, [{ text: "new otter" }]);
      await tx.updateTable("content").set({ revision: "a.2" }).where("id", "=", "a").execute();
    });
    assert.deepEqual((await find(store, "otter")).sort(), ["a.2/0", "b.1/0"]);
  });

  test("searchText() follows changed and deleted chunks and titles in their transaction", async (store) => {
    await store.transaction((tx) =>
      addContent(tx, { id: "a", title: "Alpha" }, [{ text: "badger" }])
    );
    await store.db.updateTable("chunk").set({ text: "weasel" }).execute();
    assert.deepEqual(await find(store, "badger"), []);
    assert.deepEqual(await find(store, "weasel"), ["a.1/0"]);
    await store.db.updateTable("content").set({ title: "Omega" }).execute();
    assert.deepEqual(await find(store, "alpha"), []);
    assert.deepEqual(await find(store, "omega"), ["a.1/0"]);
    await assert.rejects(store.transaction(async (tx) => {
      await tx.deleteFrom("chunk").execute();
      throw new Error("no");
    }));
    assert.deepEqual(await find(store, "weasel"), ["a.1/0"]);
    await store.db.deleteFrom("chunk").execute();
    assert.deepEqual(await find(store, "weasel"), []);
  });
}
