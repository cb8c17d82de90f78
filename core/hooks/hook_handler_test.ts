import assert from "node:assert/strict";
import { join } from "node:path";
import type { AuditEvent } from "../audit/audit.ts";
import { observe, tightened } from "../audit/observed.ts";
import { EventBus } from "../events.ts";
import { createEventLog } from "../event_log/create_event_log.ts";
import type { JobEngine } from "../jobs/dispatcher.ts";
import { openWorkshop, within } from "../jobs/testing.ts";
import { declaredGrants } from "../plugins/grants.ts";
import { offered, withWorld, yaml } from "../plugins/testing.ts";
import { createHooks, type Hooks } from "./create_hooks.ts";
import { hookHandler } from "./hook_handler.ts";

const MANIFEST = yaml(
  "hook.greeter",
  `events: [content.imported, artifact.*]
permissions: {write: ["\${data}/"]}
`,
);
const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.hook({
  events: {
    "content.imported": (event, ctx) => {
      const line = \`\${event.time} \${event.payload.title}\\n\`;
      Deno.writeTextFileSync(\`\${ctx.dataDir}/list.txt\`, line, { append: true });
    },
    "artifact.*": () => {},
  },
});
`;

Deno.test("hookHandler() tells of what was granted after the install, and its use keeps that from being tightened", async () => {
  const events = new EventBus();
  await withWorld(async ({ plugin, plugins, pool, sql, dataDir }) => {
    const consent = await offered(plugins, await plugin("greeter", MANIFEST, CODE));
    await plugins.decide(consent.id, ["write:${data}/"]);
    await using eventLog = createEventLog({ sql, engine: () => engine });
    await using shop = await openWorkshop();
    const audited: AuditEvent[] = [];
    const audit = { append: (event: AuditEvent) => void audited.push(event) };
    const prompts = { examine: async ({ error }: { readonly error: unknown }) => error };
    let hooks: Hooks;
    const ended = Promise.withResolvers<string>();
    const engine: JobEngine = shop.engine({
      sql,
      handlers: { hook: hookHandler({ eventLog, plugins, pool, prompts, audit }) },
      onEnd: async (tx, job) => {
        await hooks.onEnd(tx, job);
        ended.resolve(job.id);
      },
    });
    await using made = hooks = createHooks({
      sql,
      eventLog,
      plugins,
      events,
      engine: () => engine,
      log: () => {},
    });
    await made.start();
    await engine.start();

    const keys = ["events:content.imported", "events:artifact.*"];
    const asked = await plugins.ask("hook.greeter", keys);
    await plugins.decide(asked.id, keys);
    await made.idle();
    await sql.transaction((tx) =>
      eventLog.append(tx, {
        name: "content.imported",
        subject: "content_1",
        payload: { title: "A desk" },
        user: "user_1",
      })
    );
    eventLog.wake();
    const job = await engine.jobs.get(await within(ended.promise, "told"));
    assert.deepEqual([job.status, job.error], ["completed", undefined]);
    const list = await Deno.readTextFile(
      join(dataDir, "plugins", "hook.greeter", "data", "list.txt"),
    );
    assert.match(list, /^\S+ A desk\n$/);

    const { manifest, granted } = plugins.find("hook.greeter")!;
    const uses = audited.map(({ event, job: of, details }) => {
      assert.deepEqual([event, of], ["permission.used", job.id]);
      return { ...details, granted: true } as never;
    });
    const left = tightened(granted, observe(declaredGrants(manifest), granted, uses));
    assert.deepEqual([granted.events.length, left.events], [2, ["content.imported"]]);
    await engine.drain();
    await engine[Symbol.asyncDispose]();
  }, () => Promise.resolve({ events }));
});

Deno.test("hookHandler() tells of an event in a hook that has no directory of its own", async () => {
  await withWorld(async ({ plugin, plugins, pool }) => {
    const code = CODE.replace(
      /const line[^]*append: true }\);/,
      "ctx.log.info(String(ctx.dataDir));",
    );
    const consent = await offered(plugins, await plugin("greeter", MANIFEST, code));
    await plugins.decide(consent.id, ["events:content.imported"]);
    const lines: string[] = [];
    await using desk = await pool.acquire(await plugins.runnerSpec("hook.greeter"), {});
    await desk.call("content.imported", [{}], {
      job: { id: "hook_1", idempotencyKey: "hook_1" },
      onLog: ({ message }) => void lines.push(message),
    });
    assert.deepEqual(lines, ["undefined"]);
  });
});
