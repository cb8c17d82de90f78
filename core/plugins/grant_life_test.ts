import assert from "node:assert/strict";
import { createNetwork } from "../network/private.ts";
import { EventBus } from "../events.ts";
import type { Consent, Plugins } from "./plugins.ts";
import { failsWith, offered, withWorld, type World, yaml } from "./testing.ts";

const ID = "import.model";
const BASE = "net:${config.base_url}";

const MODEL = yaml(
  ID,
  `permissions:
  net: [{value: "\${config.base_url}", reason: "the model"}, "a.example", "b.example"]
config: {type: object, properties: {base_url: {type: string}}}
`,
);

const FETCHING = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract: async (raw) => {
    try { return { got: await (await fetch(raw.url)).text() }; }
    catch (error) { return { refused: String(error) }; }
  },
});
`;

const grantsOf = async (plugins: Plugins, job?: string) =>
  (await plugins.runnerSpec(ID, undefined, { job })).grants.net;

Deno.test("a grant holds once, for a job, until a time, or for good", async () => {
  await withWorld(async (world) => {
    let now = Date.parse("2030-01-01T00:00:00Z");
    const events = new EventBus();
    const options = { now: () => now, events };
    const permissions = ["a", "b", "c", "d"].map((host) => `${host}.example`);
    const folder = await world.plugin(
      "model",
      yaml(ID, `permissions: {net: [${permissions.join(", ")}]}\n`),
    );
    {
      await using plugins = await world.restart(options);
      const { id } = await offered(plugins, folder);
      for (const until of [undefined, "soon", "2029-12-31"]) {
        const grants = [{ key: "net:a.example", duration: "until" as const, until }];
        await assert.rejects(plugins.decide(id, grants), failsWith("bad_request", /time to come/));
      }
      await plugins.decide(id, [
        { key: "net:a.example", duration: "once" },
        { key: "net:b.example", duration: "job" },
        { key: "net:c.example", duration: "until", until: "2030-01-01T01:00:00Z" },
        "net:d.example",
      ]);
      assert.deepEqual(plugins.get(ID).granted.net, ["c.example", "d.example"]);
      assert.deepEqual(plugins.permissions(ID).map(({ duration }) => duration), [
        "once",
        undefined,
        "until",
        "always",
      ]);
    }
    await using plugins = await world.restart(options);
    assert.deepEqual(await grantsOf(plugins, "import_1"), [
      "a.example:443",
      "b.example:443",
      "c.example:443",
      "d.example:443",
    ]);
    const still = ["b.example:443", "c.example:443", "d.example:443"];
    assert.deepEqual(await grantsOf(plugins, "import_1"), still, "one start is used up");
    assert.deepEqual(await grantsOf(plugins, "import_2"), still.slice(1), "the first job has it");
    now += 3_600_000;
    assert.deepEqual(await grantsOf(plugins, "import_1"), ["b.example:443", "d.example:443"]);
    assert.deepEqual(plugins.get(ID).granted.net, ["d.example"]);
    events.emit("job.event", {
      job_id: "import_1",
      seq: 9,
      status: "completed",
      stage: null,
      progress: 100,
      message: null,
      plugin: ID,
      timestamp: "",
    });
    await plugins.setEnabled(ID, true); // behind what the event set off
    assert.deepEqual(await grantsOf(plugins, "import_1"), ["d.example:443"]);
    const rows = await world.sql.db.selectFrom("grant").select("key").execute();
    assert.deepEqual(rows.map(({ key }) => key).sort(), ["net:c.example", "net:d.example"]);
  });
});

Deno.test("ask() puts a job's question once; a yes and a no are about that job", async () => {
  await withWorld(async (world) => {
    const decided: unknown[] = [];
    const events = new EventBus();
    events.on("consent.decided", (event) => decided.push(event));
    await using plugins = await world.restart({ events });
    await plugins.decide((await offered(plugins, await world.plugin("model", MODEL))).id, []);
    await assert.rejects(
      plugins.ask(ID, ["net:evil.example"], { job: "import_1" }),
      failsWith("denied", /does not declare/),
    );
    const asked = await plugins.ask(ID, ["net:a.example"], { job: "import_1" });
    assert.equal((await plugins.ask(ID, ["net:a.example"], { job: "import_1" })).id, asked.id);
    assert.deepEqual([asked.kind, asked.job, asked.permissions.length], ["request", "import_1", 1]);
    await plugins.decide(asked.id, [{ key: "net:a.example", duration: "job" }], "ada");
    assert.deepEqual(decided.slice(1), [{
      consent: asked.id,
      plugin: ID,
      job: "import_1",
      granted: ["net:a.example"],
    }]);
    assert.deepEqual(await grantsOf(plugins, "import_1"), ["a.example:443"]);
    assert.deepEqual(await grantsOf(plugins, "import_2"), []);
    const other = await plugins.ask(ID, ["net:b.example"], { job: "import_1" });
    await plugins.decide(other.id, undefined);
    assert.deepEqual(await grantsOf(plugins, "import_1"), ["a.example:443"]);
    assert.deepEqual(plugins.consents(), []);
  });
});

Deno.test("tighten() denies what is not kept", async () => {
  await withWorld(async ({ plugins, plugin, restart }) => {
    const folder = await plugin("model", MODEL);
    const { id } = await offered(plugins, folder);
    await plugins.decide(id, ["net:a.example", "net:b.example"]);
    await plugins.tighten(ID, ["net:b.example"], "ada");
    await using again = await restart();
    for (const now of [plugins, again]) {
      assert.deepEqual(now.get(ID).granted.net, ["b.example"]);
      assert.equal(now.permissions(ID).find(({ value }) => value === "a.example")?.denied, true);
    }
    await assert.rejects(plugins.tighten("import.web", []), failsWith("conflict", /built in/));
  });
});

/** A server on this machine, and what the plugin gets of it. */
async function withServer(
  world: World,
  work: (
    port: number,
    fetched: (plugins: Plugins, url: string) => Promise<string>,
  ) => Promise<void>,
) {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("the model"),
  );
  await work(server.addr.port, async (plugins, url) => {
    await using desk = await world.pool.acquire(await plugins.runnerSpec(ID));
    const job = { id: "import_1", idempotencyKey: "import_1" };
    const answer = await desk.call("extract", [{ url }], { job }) as Record<string, string>;
    return answer["got"] ?? "refused";
  });
}

Deno.test("a private address in a setting is shown, granted by itself, and nothing beside it", async () => {
  await withWorld(async (world) => {
    const { plugins } = world;
    await plugins.decide(
      (await offered(plugins, await world.plugin("model", MODEL, FETCHING))).id,
      [BASE],
    );
    await withServer(world, async (port, fetched) => {
      await using other = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen() {} },
        () => new Response("another"),
      );
      const url = `http://127.0.0.1:${port}/v1`;
      // The host was granted before there was one: what it is now has to be asked.
      const { consent } = await plugins.setConfig(ID, { config: { base_url: url } });
      assert.equal(consent?.kind, "setting");
      const [asked] = consent!.permissions;
      assert.deepEqual([asked?.key, asked?.risk, asked?.granted], [BASE, "high", false]);
      assert.match(asked!.text, /a private address \(127\.0\.0\.1\)/);
      assert.equal(await fetched(plugins, url), "refused");
      await plugins.decide(consent!.id, [BASE]);
      assert.equal(await fetched(plugins, url), "the model");
      assert.equal(await fetched(plugins, `http://127.0.0.1:${other.addr.port}/`), "refused");
      assert.equal(await fetched(plugins, `http://localhost:${port}/`), "refused");
      // After a restart too.
      await using again = await world.restart();
      assert.equal(again.permissions(ID)[0]?.granted, true);
      assert.equal(await fetched(again, url), "the model");
      // Another place is another question, and until it is answered there is nothing.
      const moved = await again.setConfig(ID, {
        config: { base_url: `http://127.0.0.1:${other.addr.port}` },
      });
      assert.equal(moved.consent?.permissions[0]?.place?.port, other.addr.port);
      assert.equal(await fetched(again, url), "refused");
      assert.equal(await fetched(again, `http://127.0.0.1:${other.addr.port}/`), "refused");
      // Back where it was granted, there is nothing to ask.
      const back = await again.setConfig(ID, { config: { base_url: url } });
      assert.deepEqual([back.consent, again.consents()], [undefined, []]);
      assert.equal(await fetched(again, url), "the model");
    });
  });
});

Deno.test("the host is asked again when the address behind a name changes", async () => {
  await withWorld(async (world) => {
    const addresses: Record<string, string[]> = { "model.lan": ["10.0.0.5", "93.184.216.34"] };
    const network = await createNetwork({ lookup: async (host) => addresses[host] ?? [] });
    await using plugins = await world.restart({ network });
    await plugins.decide((await offered(plugins, await world.plugin("model", MODEL))).id, []);
    const config = { base_url: "https://model.lan/" };
    const { consent } = await plugins.setConfig(ID, { config });
    assert.equal(consent, undefined, "it was refused once and for all");
    const asked = await plugins.ask(ID, [BASE]);
    assert.deepEqual(asked.permissions[0]?.place?.addresses, ["10.0.0.5"]);
    await plugins.decide(asked.id, [BASE]);
    const opened = async () => (await plugins.runnerSpec(ID)).grants.private;
    assert.deepEqual(await opened(), [
      { host: "model.lan", port: 443, addresses: ["10.0.0.5"] },
    ]);
    addresses["model.lan"] = ["10.0.0.6"];
    assert.deepEqual(await opened(), []);
    const again = await until(() => plugins.consents()[0]);
    assert.deepEqual([again.kind, again.askedBy, again.permissions[0]?.place?.addresses], [
      "setting",
      "host",
      ["10.0.0.6"],
    ]);
    await opened();
    assert.equal(plugins.consents().length, 1, "the same question is asked once");
    await plugins.decide(again.id, undefined);
    assert.deepEqual(await opened(), []);
  });
});

Deno.test("Carrel's own address and a cloud's metadata can never be granted", async () => {
  await withWorld(async (world) => {
    const network = await createNetwork();
    network.protect(7420);
    await using plugins = await world.restart({ network });
    await plugins.decide((await offered(plugins, await world.plugin("model", MODEL))).id, [BASE]);
    for (
      const [url, why] of [
        ["http://127.0.0.1:7420/", /this Carrel itself/],
        ["http://localhost:7420/", /this Carrel itself/],
        ["http://169.254.169.254/", /metadata address/],
      ] as const
    ) {
      await assert.rejects(
        plugins.setConfig(ID, { config: { base_url: url } }),
        failsWith("private_address", why),
      );
    }
  });
});

Deno.test("a built-in plugin too is asked about a private address, and about nothing else", async () => {
  await withWorld(async (world) => {
    await world.plugin("builtin/model", MODEL, FETCHING);
    await using plugins = await world.restart();
    const net = async () => (await plugins.runnerSpec(ID)).grants;
    await plugins.setConfig(ID, { config: { base_url: "https://api.example/" } });
    assert.ok((await net()).net.includes("api.example:443"));
    const { consent } = await plugins.setConfig(ID, { config: { base_url: "10.0.0.5:8000" } });
    assert.deepEqual(consent?.permissions.map(({ key }) => key), [BASE]);
    assert.deepEqual((await net()).private, []);
    await using again = await world.restart();
    await again.decide(again.consents()[0]!.id, [BASE]);
    const granted = (await again.runnerSpec(ID)).grants;
    assert.deepEqual(granted.private, [
      { host: "10.0.0.5", port: 8000, addresses: ["10.0.0.5"] },
    ]);
    assert.deepEqual(granted.net, ["a.example:443", "b.example:443"]);
  });
});

Deno.test("an address that the operator opened is asked at high risk too, and a built-in plugin has it", async () => {
  await withWorld(async (world) => {
    const network = await createNetwork({ allowPrivate: ["10.0.0.5:8000"] });
    const opened = { host: "10.0.0.5", port: 8000, addresses: ["10.0.0.5"] };
    const config = { base_url: "10.0.0.5:8000" };
    {
      await using plugins = await world.restart({ network });
      const folder = await world.plugin("model", MODEL, FETCHING);
      await plugins.decide((await offered(plugins, folder)).id, [BASE]);
      const { consent } = await plugins.setConfig(ID, { config });
      const [asked] = consent!.permissions;
      assert.deepEqual([asked?.key, asked?.risk, asked?.granted], [BASE, "high", false]);
      assert.deepEqual((await plugins.runnerSpec(ID)).grants.private, []);
      await plugins.decide(consent!.id, [BASE]);
      assert.deepEqual((await plugins.runnerSpec(ID)).grants.private, [opened]);
      assert.equal(plugins.permissions(ID)[0]?.risk, "high");
      await plugins.uninstall(ID);
    }
    await world.plugin("builtin/model", MODEL, FETCHING);
    await using plugins = await world.restart({ network });
    assert.equal((await plugins.setConfig(ID, { config })).consent, undefined);
    assert.deepEqual((await plugins.runnerSpec(ID)).grants.private, [opened]);
  });
});

async function until(probe: () => Consent | undefined): Promise<Consent> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = probe();
    if (found !== undefined) return found;
    assert.ok(Date.now() < end, "not so within 30 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("an update that is allowed what was granted until a time grants it no longer than that", async () => {
  await withWorld(async ({ plugins, plugin }) => {
    const folder = await plugin("model", MODEL);
    const until = "2099-01-01T00:00:00.000Z";
    await plugins.decide((await offered(plugins, folder)).id, [
      { key: "net:a.example", duration: "until", until },
      "net:b.example",
    ]);
    await plugin("model", MODEL.replace("1.0.0", "1.1.0"));
    await plugins.decide((await offered(plugins, folder)).id, ["net:a.example", "net:b.example"]);
    const shown = plugins.permissions(ID).filter(({ granted }) => granted);
    assert.deepEqual(shown.map(({ value, until }) => [value, until]), [
      ["a.example", until],
      ["b.example", undefined],
    ]);
    await plugin("model", MODEL.replace("1.0.0", "1.2.0"));
    const grants = [{ key: "net:a.example", duration: "always" as const }];
    await plugins.decide((await offered(plugins, folder)).id, grants);
    assert.equal(plugins.permissions(ID).find(({ granted }) => granted)?.duration, "always");
  });
});

Deno.test("revoke() denies what is named, for one job too, and refuses what is not granted", async () => {
  await withWorld(async ({ plugins, plugin, restart }) => {
    const folder = await plugin("model", MODEL);
    const { id } = await offered(plugins, folder);
    await plugins.decide(id, ["net:a.example", { key: "net:b.example", duration: "job" }]);
    await plugins.revoke(ID, ["net:b.example"], "ada");
    assert.deepEqual(await grantsOf(plugins, "import_1"), ["a.example:443"]);
    await plugins.revoke(ID, ["net:a.example"], "ada");
    await using again = await restart();
    for (const now of [plugins, again]) {
      assert.deepEqual(now.get(ID).granted.net, []);
      assert.deepEqual(await grantsOf(now, "import_1"), []);
      assert.equal(now.permissions(ID).find(({ value }) => value === "a.example")?.denied, true);
    }
    await assert.rejects(
      plugins.revoke(ID, ["net:a.example"]),
      failsWith("not_found", /is not granted/),
    );
    await assert.rejects(
      plugins.revoke("import.web", ["net:x.example"]),
      failsWith("conflict", /built in/),
    );
  });
});

Deno.test("revoke() takes a key as people spell it, and names those that are granted", async () => {
  await withWorld(async (world) => {
    const { plugins } = world;
    const keys = [BASE, "net:a.example", "net:b.example"];
    await plugins.decide((await offered(plugins, await world.plugin("model", MODEL))).id, keys);
    const { consent } = await plugins.setConfig(ID, {
      config: { base_url: "http://127.0.0.1:18081" },
    });
    await plugins.decide(consent!.id, [BASE]);
    await assert.rejects(
      plugins.revoke(ID, ["net:c.example"]),
      failsWith("not_found", /not granted\. Granted: .*net:b\.example/),
    );
    await plugins.revoke(ID, ["net:a.example:443", "net:127.0.0.1:18081"]);
    assert.deepEqual(plugins.get(ID).granted.net, ["b.example"]);
  });
});

Deno.test("decide() takes a yes to nothing for a mistake, where something is installed already", async () => {
  await withWorld(async (world) => {
    const { plugins } = world;
    await plugins.decide((await offered(plugins, await world.plugin("model", MODEL))).id, []);
    const { id } = await plugins.ask(ID, ["net:a.example"]);
    await assert.rejects(
      plugins.decide(id, []),
      failsWith("bad_request", /name the permissions in "grants", or deny it/),
    );
    await plugins.decide(id, undefined);
  });
});
