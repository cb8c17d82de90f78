/** The API over a real engine of runs, whose calls do what the test says. */
import { createSqlAuth } from "../../auth/sql_auth.ts";
import type { Role } from "../../auth/actor.ts";
import { workflowOf } from "../../workflows/load.ts";
import { openRuns, type RunShop, type RunShopOptions } from "../../workflows/testing.ts";
import type { Workflow } from "../../workflows/workflows.ts";
import { createHttpApp } from "../app.ts";
import type { HttpHost } from "../host.ts";

export interface TestInit {
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
}

export interface RunApp extends AsyncDisposable {
  readonly runs: RunShop;
  readonly failures: unknown[];
  readonly tokens: Readonly<Record<Role, string>>;
  fetch(request: Request): Response | Promise<Response>;
  request(role: Role, method: string, path: string, init?: TestInit): Promise<Response>;
}

/** A workflow of the pipeline files. */
export const fileOf = async (name: string, yaml: string): Promise<Workflow> =>
  await workflowOf(yaml, { file: `${name}.yaml`, name });

export async function runApp(options: RunShopOptions = {}): Promise<RunApp> {
  const runs = await openRuns(options);
  const auth = createSqlAuth(runs.shop.sql);
  const admin = await auth.bootstrap();
  const tokens = {
    reader: (await auth.createToken({ name: "reader", role: "reader" })).token,
    editor: (await auth.createToken({ name: "editor", role: "editor" })).token,
    admin: admin!,
  };
  const failures: unknown[] = [];
  // The other routes are not asked here.
  const host = {
    version: "0.1.0",
    auth,
    jobs: runs.engine.jobs,
    workflows: runs.workflows,
  } as unknown as HttpHost;
  const stopping = new AbortController();
  const app = createHttpApp(host, {
    onFailure: (failure) => failures.push(failure.error),
    signal: stopping.signal,
  });
  return {
    runs,
    failures,
    tokens,
    fetch: (request) => app.fetch(request),
    async request(role, method, path, init = {}) {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${tokens[role]}`);
      if (init.json !== undefined) headers.set("content-type", "application/json");
      const body = init.json !== undefined ? JSON.stringify(init.json) : null;
      return await app.request(path, { method, headers, body });
    },
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await runs[Symbol.asyncDispose]();
    },
  };
}
