/** The test app with a real log of events and real schedules, on a port of its own. */
import type { Role } from "../../auth/actor.ts";
import { createEventLog, type EventLogKeeper } from "../../event_log/create_event_log.ts";
import { noop, openWorkshop, type Workshop } from "../../jobs/testing.ts";
import { createSchedules } from "../../schedules/create_schedules.ts";
import { createHttpApp } from "../app.ts";
import { type TestApp, testApp, type TestInit } from "./memory_host.ts";

export interface WorkHost extends AsyncDisposable {
  readonly url: string;
  readonly shop: Workshop;
  readonly log: EventLogKeeper;
  readonly tokens: TestApp["tokens"];
  /** The user behind a token. */
  user(role: Role): Promise<string>;
  /** Logs events: name, subject, user. */
  append(...events: readonly [name: string, subject: string, user: string][]): Promise<void>;
  fetch(role: Role, method: string, path: string, init?: TestInit): Promise<Response>;
}

export async function workHost(): Promise<WorkHost> {
  const shop = await openWorkshop();
  const base = await testApp();
  const engine = shop.engine({});
  const log = createEventLog({ sql: shop.sql, clock: shop.clock, engine: () => engine });
  const schedules = createSchedules({
    sql: shop.sql,
    clock: shop.clock,
    jobs: engine.jobs,
    importJob: async (url, _options, { user }) => noop({ input: url, user }),
    startRun: async (workflow, { idempotencyKey }, { user }) =>
      await engine.jobs.add(noop({ input: workflow, user, idempotencyKey })),
    askPlugin: async () => null,
  });
  const closing = new AbortController();
  const app = createHttpApp(
    { ...base.host, eventLog: log, schedules },
    { signal: closing.signal },
  );
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request, info) => app.fetch(request, info),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    shop,
    log,
    tokens: base.tokens,
    user: async (role) => (await base.host.auth.authenticate(base.tokens[role]))!.user,
    async append(...events) {
      await shop.sql.transaction(async (tx) => {
        for (const [name, subject, user] of events) {
          await log.append(tx, { name, subject, payload: { title: `About ${subject}` }, user });
        }
      });
      log.wake();
    },
    async fetch(role, method, path, init = {}) {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${base.tokens[role]}`);
      if (init.json !== undefined) headers.set("content-type", "application/json");
      const body = init.json !== undefined ? JSON.stringify(init.json) : null;
      return await fetch(url + path, { method, headers, body });
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await server.shutdown();
      await schedules[Symbol.asyncDispose]();
      await log[Symbol.asyncDispose]();
      await base[Symbol.asyncDispose]();
      await shop[Symbol.asyncDispose]();
    },
  };
}
