import assert from "node:assert/strict";
import { CarrelError } from "../errors.ts";
import type { JobHandler } from "../jobs/job.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { openWorkshop, within, type Workshop } from "../jobs/testing.ts";
import { importItems, type ItemParts, retryItems } from "./import_items.ts";
import type { ImportInput } from "./import_input.ts";
import { parseItems } from "./plugin_output.ts";

/** An engine whose imports are lists where `lists` says what a URL lists, and fail where `fails` says so. */
function listEngine(
  shop: Workshop,
  lists: Record<string, readonly string[]>,
  fails: Set<string> = new Set(),
) {
  const imported: string[] = [];
  const plugins: ItemParts["plugins"] = {
    matchUrl: (url) => url.includes("/none") ? [] : [{ id: "import.webpage" } as never],
  };
  const retried = new Map<unknown, number>();
  const parts: ItemParts = {
    sql: shop.sql,
    plugins,
    jobs: () => ({
      ...engine.jobs,
      retryIn(tx, id) {
        retried.set(tx, (retried.get(tx) ?? 0) + 1);
        return engine.jobs.retryIn(tx, id);
      },
    }),
  };
  const handler: JobHandler = {
    async run(run) {
      const { url } = run.job.input as ImportInput;
      const list = lists[url];
      if (list === undefined) {
        if (fails.has(url)) throw new CarrelError("damaged", `Cannot read "${url}"`);
        return void imported.push(url);
      }
      const { items } = parseItems({ items: list.map((url) => ({ url })) }, "import.feed");
      return { items: await importItems(parts, run, items) };
    },
    onRetry: retryItems,
  };
  const engine: JobEngine = shop.engine({ handlers: { import: handler } });
  return Object.assign(engine, { imported, retried });
}

const FEED = "https://feed.org/";
const of = (url: string, more: Partial<ImportInput> = {}) => ({
  kind: "import" as const,
  plugin: "import.feed",
  user: "user_1",
  input: { url, collection: "default", pinned: false, ...more } satisfies ImportInput,
});
const urls = (count: number, folder = "a") =>
  Array.from({ length: count }, (_, index) => `https://x.org/${folder}/${index}`);

Deno.test("importItems() imports each item once, whatever their number, and counts them", async () => {
  await using shop = await openWorkshop();
  // More than are added in one transaction, and some twice.
  const engine = listEngine(shop, { [FEED]: [...urls(600), ...urls(20)] });
  await engine.start();
  const { id } = await engine.jobs.add({ ...of(FEED), priority: 7 });
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual([job.status, job.result, job.tries], [
    "completed",
    { items: { total: 600, completed: 600, failed: 0, cancelled: 0 } },
    1,
  ]);
  assert.deepEqual(engine.imported.toSorted(), urls(600).toSorted());
  const [child] = (await engine.jobs.list({ parent: id, limit: 1 })).items;
  assert.deepEqual([child!.site, child!.plugin, child!.priority], ["x.org", "import.webpage", 7]);
  assert.deepEqual(shop.reports, []);
});

Deno.test("importItems() is done at once with a list of nothing", async () => {
  await using shop = await openWorkshop();
  const engine = listEngine(shop, { [FEED]: [] });
  await engine.start();
  const { id } = await engine.jobs.add(of(FEED));
  const { result } = await within(engine.jobs.finished(id));
  assert.deepEqual(result, { items: { total: 0, completed: 0, failed: 0, cancelled: 0 } });
});

Deno.test("importItems() is completed when some items failed, and fails when all did", async () => {
  await using shop = await openWorkshop();
  const fails = new Set(urls(3));
  const engine = listEngine(shop, { [FEED]: [...urls(3), "https://x.org/good"] }, fails);
  await engine.start();
  const some = await engine.jobs.add(of(FEED));
  const { status, result } = await within(engine.jobs.finished(some.id));
  assert.deepEqual([status, result], [
    "completed",
    { items: { total: 4, completed: 1, failed: 3, cancelled: 0 } },
  ]);

  const other = listEngine(shop, { [FEED]: urls(3) }, fails);
  await engine.drain();
  await other.start();
  const { id } = await other.jobs.add(of(FEED));
  const all = await within(other.jobs.finished(id));
  assert.deepEqual([all.status, all.error?.code], ["failed", "step_failed"]);
  assert.match(all.message!, /any of the 3 items .*The first one: Cannot read "https:\/\/x.org\/a/);

  // By hand, those that failed are tried again, and none is doubled.
  fails.delete(urls(1)[0]!);
  await other.jobs.retry(id);
  const again = await within(other.jobs.finished(id));
  assert.deepEqual([again.status, again.result], [
    "completed",
    { items: { total: 3, completed: 1, failed: 2, cancelled: 0 } },
  ]);
});

Deno.test("importItems() goes on where it was after a cancel of everything", async () => {
  await using shop = await openWorkshop();
  const engine = listEngine(shop, { [FEED]: urls(300) });
  const { id } = await engine.jobs.add(of(FEED));
  // The list has been read and its first items were added when it is cancelled.
  const first = shop.engine({
    concurrency: 1,
    handlers: {
      import: {
        async run(run) {
          if (run.job.parent !== undefined) {
            return await new Promise((_, stop) =>
              run.signal.addEventListener("abort", () => stop(run.signal.reason))
            );
          }
          const items = urls(300).map((url) => ({ url }));
          await importItems(
            { sql: shop.sql, plugins: { matchUrl: () => [] }, jobs: () => engine.jobs },
            run,
            items,
          );
        },
      },
    },
    classLimits: () => 1,
  });
  const added = new Promise<void>((resolve) =>
    shop.events.on("job.event", ({ job_id, seq }) => job_id === id && seq === 3 && resolve())
  );
  await first.start();
  await within(added);
  await first.jobs.cancel(id);
  await within(first.jobs.finished(id));
  await within(first[Symbol.asyncDispose]());
  const { total } = await engine.jobs.children(id);
  assert.ok(total >= 250);
  await engine.start();
  await engine.jobs.retry(id);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, {
    items: { total: 300, completed: 300, failed: 0, cancelled: 0 },
  });
});

Deno.test("importItems() retries items in steps as it adds them, each once", async () => {
  await using shop = await openWorkshop();
  const all = urls(600);
  const fails = new Set(all);
  const engine = listEngine(shop, { [FEED]: all }, fails);
  await engine.start();
  const { id } = await engine.jobs.add(of(FEED));
  assert.equal((await within(engine.jobs.finished(id))).status, "failed");
  fails.clear();
  await engine.jobs.retry(id);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, { items: { total: 600, completed: 600, failed: 0, cancelled: 0 } });
  const steps = [...engine.retried.values()];
  assert.deepEqual([Math.max(...steps), steps.reduce((sum, n) => sum + n)], [250, 600]);
  assert.deepEqual(engine.imported.toSorted(), all.toSorted());
  assert.deepEqual(shop.reports, []);
});

Deno.test("importItems() adds what a list has that has changed meanwhile, and doubles nothing", async () => {
  await using shop = await openWorkshop();
  const lists = { [FEED]: urls(300) };
  const engine = listEngine(shop, lists, new Set(urls(300)));
  await engine.start();
  const { id } = await engine.jobs.add(of(FEED));
  await within(engine.jobs.finished(id));
  lists[FEED] = ["https://x.org/new", ...urls(300)];
  await engine.jobs.retry(id);
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, { items: { total: 301, completed: 1, failed: 300, cancelled: 0 } });
});

Deno.test("importItems() follows lists of lists, and not one level more", async () => {
  await using shop = await openWorkshop();
  const engine = listEngine(shop, {
    [FEED]: ["https://x.org/list"],
    "https://x.org/list": ["https://x.org/deeper", "https://x.org/leaf"],
    "https://x.org/deeper": ["https://x.org/deepest"],
  });
  await engine.start();
  const { id } = await engine.jobs.add(of(FEED));
  const job = await within(engine.jobs.finished(id));
  assert.deepEqual(job.result, { items: { total: 1, completed: 1, failed: 0, cancelled: 0 } });
  assert.deepEqual(engine.imported, ["https://x.org/leaf"]);
  const [failed] = (await engine.jobs.list({ status: "failed" })).items;
  assert.deepEqual([failed!.error?.code, (failed!.input as ImportInput).url], [
    "too_large",
    "https://x.org/deeper",
  ]);
});

Deno.test("importItems() shares out what one import may hold among the lists below it", async () => {
  await using shop = await openWorkshop();
  const engine = listEngine(shop, { [FEED]: urls(11), "https://x.org/a/3": urls(10, "b") });
  await engine.start();
  const within_ = { depth: 1, room: 100 };
  const { id } = await engine.jobs.add(of(FEED, { within: within_ }));
  await within(engine.jobs.finished(id));
  const [failed] = (await engine.jobs.list({ status: "failed" })).items;
  // Each of the eleven may hold (100 - 11) / 11 more; at this depth none may.
  assert.deepEqual((failed!.input as ImportInput).within, { depth: 2, room: 8 });
  const small = await engine.jobs.add(of(FEED, { within: { depth: 1, room: 10 } }));
  assert.equal((await within(engine.jobs.finished(small.id))).error?.code, "too_large");
});

Deno.test("importItems() lays over each item what its list and the request say of it", async () => {
  await using shop = await openWorkshop();
  const engine: JobEngine = shop.engine({
    handlers: {
      import: {
        async run(run) {
          if (run.job.parent !== undefined) return;
          await importItems(
            { sql: shop.sql, plugins: { matchUrl: () => [] }, jobs: () => engine.jobs },
            run,
            [{ url: "https://x.org/1", title: "One", metadata: { language: "en", rating: 5 } }],
          );
        },
      },
    },
  });
  await engine.start();
  const metadata = { title: "The feed", language: "de" };
  const { id } = await engine.jobs.add(of(FEED, { metadata }));
  await within(engine.jobs.finished(id));
  const [child] = (await engine.jobs.list({ parent: id })).items;
  assert.deepEqual((child!.input as ImportInput).metadata, {
    title: "One",
    language: "de",
    rating: 5,
  });
  assert.equal(child!.plugin, undefined);
});
