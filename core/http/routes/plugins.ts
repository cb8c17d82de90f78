/** Plugins: list and look into. What changes them stands in `plugin_changes.ts` and `plugin_install.ts`. */
import { z } from "@hono/zod-openapi";
import { type Health, PLUGIN_KINDS } from "../../../sdk/types.ts";
import type { Plugin } from "../../plugins/plugins.ts";
import type { Api } from "../api.ts";
import { availableJson, healthJson, pluginJson, versionJson } from "../plugin_json.ts";
import { toCarrelError } from "../problem.ts";
import {
  availableSchema,
  healthSchema,
  type PluginJson,
  pluginSchema,
  pluginVersionSchema,
} from "../plugin_schemas.ts";
import { flag, idParam, json } from "./common.ts";
import { addPluginChangeRoutes } from "./plugin_changes.ts";
import { addInstallRoutes } from "./plugin_install.ts";

const listSchema = z.object({ items: z.array(pluginSchema) });
const anySchema = z.record(z.string(), z.unknown());

/** Health checks at once for one list: each starts a runner. */
const CHECKS_AT_ONCE = 2;

type CheckHealth = (id: string) => Promise<Health>;

export function addPluginRoutes(api: Api): void {
  const health = shared((id) => api.host.pluginHealth(id));
  // The words go before the ids.
  addListRoutes(api, health);
  addInstallRoutes(api);
  addReadRoutes(api, health);
  addPluginChangeRoutes(api);
}

/** One check a plugin at a time: whoever asks while it runs gets its answer, so that none pile up. */
function shared(check: CheckHealth): CheckHealth {
  const running = new Map<string, Promise<Health>>();
  return (id) => {
    let answer = running.get(id);
    if (answer === undefined) {
      answer = check(id).finally(() => running.delete(id));
      running.set(id, answer);
    }
    return answer;
  };
}

function addListRoutes(api: Api, checkHealth: CheckHealth): void {
  const { plugins, available } = api.host;
  const enabledQuery = z.object({
    enabled: flag.optional(),
    include_health: flag.optional().openapi({ description: "Check each one now" }),
  });

  async function list(
    query: { kind?: string | undefined; enabled?: boolean | undefined },
    health: boolean | undefined,
  ): Promise<PluginJson[]> {
    const found = plugins.list(query);
    const checks = health
      ? await checkAll(checkHealth, found)
      : new Map<string, PluginJson["health"]>();
    return found.map((p) => pluginJson(p, plugins.permissions(p.id), checks.get(p.id)));
  }

  api.route("reader", {
    method: "get",
    path: "/api/plugins",
    tags: ["plugins"],
    summary: "List plugins",
    request: { query: enabledQuery.extend({ kind: z.enum(PLUGIN_KINDS).optional() }) },
    responses: { 200: { description: "Plugins", content: json(listSchema) } },
  }, async (c) => {
    const { kind, enabled, include_health } = c.req.valid("query");
    return c.json({ items: await list({ kind, enabled }, include_health) }, 200);
  });

  for (const kind of ["import", "export"] as const) {
    api.route("reader", {
      method: "get",
      path: `/api/plugins/${kind}`,
      tags: ["plugins"],
      summary: `List ${kind} plugins`,
      request: { query: enabledQuery },
      responses: { 200: { description: "Plugins", content: json(listSchema) } },
    }, async (c) => {
      const { enabled, include_health } = c.req.valid("query");
      return c.json({ items: await list({ kind, enabled }, include_health) }, 200);
    });
  }

  api.route("reader", {
    method: "get",
    path: "/api/plugins/available",
    tags: ["plugins"],
    summary: "What the registry lists",
    request: {
      query: z.object({
        refresh: flag.optional().openapi({ description: "Fetch the list anew" }),
        kind: z.enum(PLUGIN_KINDS).optional(),
      }),
    },
    responses: { 200: { description: "Plugins to install", content: json(availableSchema) } },
  }, async (c) => {
    const { refresh, kind } = c.req.valid("query");
    const found = await available.list({ refresh: refresh ?? false });
    const of = found.plugins.filter((plugin) => kind === undefined || plugin.kind === kind);
    const installed = new Map(plugins.list().map(({ id, version }) => [id, version]));
    return c.json(availableJson({ ...found, plugins: of }, (id) => installed.get(id)), 200);
  });
}

function addReadRoutes(api: Api, checkHealth: CheckHealth): void {
  const { plugins } = api.host;
  const shown = (plugin: Plugin) => pluginJson(plugin, plugins.permissions(plugin.id));

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}",
    tags: ["plugins"],
    summary: "A plugin",
    request: { params: idParam },
    responses: { 200: { description: "The plugin", content: json(pluginSchema) } },
  }, (c) => c.json(shown(plugins.get(c.req.valid("param").id)), 200));

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}/manifest",
    tags: ["plugins"],
    summary: "A plugin's manifest, defaults filled in",
    request: { params: idParam },
    responses: { 200: { description: "The manifest", content: json(anySchema) } },
  }, (c) => {
    const manifest: Record<string, unknown> = plugins.get(c.req.valid("param").id).manifest;
    return c.json(manifest, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}/config-schema",
    tags: ["plugins"],
    summary: "The JSON Schema of a plugin's settings",
    request: { params: idParam },
    responses: { 200: { description: "The schema", content: json(anySchema) } },
  }, (c) => c.json({ ...plugins.get(c.req.valid("param").id).manifest.config }, 200));

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}/health",
    tags: ["plugins"],
    summary: "A plugin's health, checked now in a runner",
    request: { params: idParam },
    responses: { 200: { description: "The health", content: json(healthSchema) } },
  }, async (c) => {
    const { id } = plugins.get(c.req.valid("param").id);
    return c.json(healthJson(await checkHealth(id)), 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}/versions",
    tags: ["plugins"],
    summary: "The versions on disk, and those that wait for consent",
    request: { params: idParam },
    responses: {
      200: {
        description: "Versions; none of a built-in plugin",
        content: json(z.object({ items: z.array(pluginVersionSchema) })),
      },
    },
  }, (c) => c.json({ items: plugins.versions(c.req.valid("param").id).map(versionJson) }, 200));
}

/** The health of each enabled plugin; a check that fails is an answer too. */
async function checkAll(
  checkHealth: CheckHealth,
  found: readonly Plugin[],
): Promise<Map<string, PluginJson["health"]>> {
  const checks = new Map<string, PluginJson["health"]>();
  const waiting = found.filter((plugin) => plugin.enabled);
  async function worker(): Promise<void> {
    for (let plugin = waiting.shift(); plugin !== undefined; plugin = waiting.shift()) {
      const health = await checkHealth(plugin.id).then(healthJson, (error) => ({
        status: "unhealthy" as const,
        message: toCarrelError(error).error.message,
      }));
      checks.set(plugin.id, health);
    }
  }
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, worker));
  return checks;
}
