import assert from "node:assert/strict";
import type { NewEvent } from "../event_log/event_log.ts";
import type { Content, Library } from "../library/library.ts";
import { actor } from "../library/testing.ts";
import type { SearchQuery } from "../search/search.ts";
import { failsWith, type World } from "../plugins/testing.ts";
import { hostServices } from "./host_services.ts";
import { byHand, withBench } from "./testing.ts";

const TEXT = "An owl 🦉 reads.";

/** One content, and who asked for it. */
function hostParts(world: Pick<World, "sql">) {
  const seen: unknown[] = [];
  const events: NewEvent[] = [];
  const library: Pick<Library, "getContent" | "file" | "open"> = {
    getContent: async (id, who) => {
      seen.push([id, who.user]);
      if (id !== "content_1") {
        throw Object.assign(new Error("Cannot find it"), { code: "not_found" });
      }
      return {
        id,
        type: "document",
        title: "Owls",
        url: "https://e.org/",
        authors: ["Ann"],
        metadata: { pages: 1 },
        collection: "default",
        revision: { id: "revision_1", number: 1, created: "2030-01-01" },
        created: "2030-01-01",
      } as unknown as Content;
    },
    file: async (_, name) => ({ name, mediaType: "text/markdown", digest: "d", size: 1 }),
    open: async (_, range) =>
      new Blob([new TextEncoder().encode(TEXT).slice(range?.start, range?.end)]).stream(),
  };
  const services = hostServices({
    library: () => library,
    sql: world.sql,
    search: {
      search: async (query: SearchQuery, who) => {
        seen.push([query, who.user]);
        return [];
      },
    },
    eventLog: {
      append: async (_, event) => void events.push(event),
      wake: () => void seen.push("wake"),
    },
  });
  return { services, seen, events };
}

const ask = (world: Pick<World, "sql">) => {
  const { services, seen, events } = hostParts(world);
  const own = services({ plugin: "generator.a", actor, job: { id: "call_1" } });
  const { signal } = new AbortController();
  return {
    seen,
    events,
    service: async (name: string, input: unknown) => await own[name]!(input, signal),
  };
};

Deno.test("library.read gives metadata and pages of the text that split no character", () =>
  withBench(async ({ world }) => {
    const { service, seen } = ask(world);
    type Page = { text: string; next: number | null; length: number; title: string };
    let text = "";
    let from: number | null = 0;
    for (let pages = 0; from !== null; pages++) {
      assert.ok(pages < 20);
      const page = await service("library.read", { content: "content_1", from, length: 4 }) as Page;
      assert.ok(page.text.isWellFormed());
      assert.equal(page.length, TEXT.length);
      text += page.text;
      from = page.next;
    }
    assert.equal(text, TEXT);
    const bare = await service("library.read", { content: "content_1", length: 0 }) as Page;
    assert.deepEqual([bare.title, bare.text], ["Owls", undefined]);
    assert.deepEqual(seen[0], ["content_1", actor.user]);
    await assert.rejects(service("library.read", { content: "content_2" }), { code: "not_found" });
    await assert.rejects(
      service("library.read", { content: "content_1", lenght: 3 }),
      failsWith("invalid_parameters", /lenght/),
    );
  }));

Deno.test("search and events work for the actor of the job, within their bounds", () =>
  withBench(async ({ world }) => {
    const { service, seen, events } = ask(world);
    assert.deepEqual(await service("search", { q: " owls ", k: 3 }), { query: "owls", hits: [] });
    assert.deepEqual(seen, [[{ q: "owls", k: 3 }, actor.user]]);
    await assert.rejects(
      service("search", { q: "owls", k: 1000 }),
      failsWith("invalid_parameters", /k:/),
    );
    await service("events", { name: "custom.seen", subject: "content_1", payload: { n: 1 } });
    assert.deepEqual(events, [
      { name: "custom.seen", subject: "content_1", payload: { n: 1 }, user: actor.user },
    ]);
    assert.equal(seen.at(-1), "wake");
    for (
      const wrong of [
        { name: "content.deleted" },
        { name: "custom." },
        { name: "custom.x", payload: { text: "x".repeat(70_000) } },
        null,
      ]
    ) {
      await assert.rejects(
        service("events", wrong),
        failsWith("invalid_parameters", /Cannot call/),
      );
    }
    assert.equal(events.length, 1);
  }));

Deno.test("events takes so many of one job, and so much in all of them", () =>
  withBench(async ({ world }) => {
    const { services, events } = hostParts(world);
    const { signal } = new AbortController();
    const log = async (job: string, payload: Record<string, unknown>) =>
      await services({ plugin: "generator.a", actor, job: { id: job } })["events"]!(
        { name: "custom.x", payload },
        signal,
      );
    for (let at = 0; at < 1_000; at++) await log("job_many", {});
    await assert.rejects(log("job_many", {}), failsWith("too_large", /1000 events/));
    const text = "x".repeat(60_000);
    for (let at = 0; at < 69; at++) await log("job_large", { text });
    await assert.rejects(log("job_large", { text }), failsWith("too_large", /4 MiB/));
    assert.equal(events.length, 1_069);
  }));

Deno.test("a plugin reaches the services that it was granted, and what the host lacks is unavailable", () =>
  withBench(async ({ install, capabilities }) => {
    await install({
      id: "generator.a",
      provides: ["test.a"],
      services: ["library.read", "search", "cache"],
      grant: ["services:library.read", "services:cache"],
      code: `"test.a": async (input, ctx) => {
  const { text } = await ctx.service("library.read", { content: "content_1" });
  const errors = [];
  for (const [name, given] of [["cache", {}], ["spawn", {}]]) {
    await ctx.service(name, given).catch(({ code }) => errors.push(code));
  }
  return [text, ...errors];
}`,
    });
    const { value } = await capabilities.call("test.a", null, byHand());
    assert.deepEqual(value, [TEXT, "unavailable", "denied"]);
  }, { parts: async (world) => ({ services: hostParts(world).services }) }));
