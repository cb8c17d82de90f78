/** Plugins: list, look into, install, consent, enable, disable, uninstall. */
import { isAbsolute } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "@hono/zod-openapi";
import { type Health, PLUGIN_KINDS } from "../../../sdk/types.ts";
import { CarrelError } from "../../errors.ts";
import type { Plugin } from "../../plugins/plugins.ts";
import type { Api } from "../api.ts";
import { consentJson, healthJson, pluginJson } from "../json.ts";
import { toCarrelError } from "../problem.ts";
import {
  consentSchema,
  decisionSchema,
  healthSchema,
  installRequestSchema,
  type PluginJson,
  pluginSchema,
} from "../schemas.ts";
import { flag, idParam, json } from "./common.ts";

const listSchema = z.object({ items: z.array(pluginSchema) });
const anySchema = z.record(z.string(), z.unknown());

/** Health checks at once for one list: each starts a runner. */
const CHECKS_AT_ONCE = 2;

type CheckHealth = (id: string) => Promise<Health>;

export function addPluginRoutes(api: Api): void {
  const health = shared((id) => api.host.pluginHealth(id));
  addReadRoutes(api, health);
  addInstallRoutes(api);
  addPluginRoutesById(api, health);
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

function addReadRoutes(api: Api, checkHealth: CheckHealth): void {
  const { plugins } = api.host;
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
}

function addInstallRoutes(api: Api): void {
  const { plugins } = api.host;

  api.route("admin", {
    method: "post",
    path: "/api/plugins/install",
    tags: ["plugins"],
    summary: "Install a plugin",
    description: "Reads and bundles it; nothing of it runs before the consent is decided.",
    request: { body: { required: true, content: json(installRequestSchema) } },
    responses: {
      202: {
        description: "The consent that waits",
        content: json(z.object({ job: z.null(), consent: consentSchema })),
      },
    },
  }, async (c) => {
    const consent = await plugins.install(folderOf(c.req.valid("json").url));
    return c.json({ job: null, consent: consentJson(consent) }, 202);
  });

  api.route("admin", {
    method: "get",
    path: "/api/plugins/consents",
    tags: ["plugins"],
    summary: "List what waits for consent",
    responses: {
      200: { description: "Consents", content: json(z.object({ items: z.array(consentSchema) })) },
    },
  }, (c) => c.json({ items: plugins.consents().map(consentJson) }, 200));

  api.route("admin", {
    method: "post",
    path: "/api/plugins/consents/{id}",
    tags: ["plugins"],
    summary: "Decide a consent",
    description:
      "`grant` enables the plugin with just the permissions in `grants`; `deny` drops it, and the answer's `plugin` is null.",
    request: { params: idParam, body: { required: true, content: json(decisionSchema) } },
    responses: {
      200: {
        description: "The plugin",
        content: json(z.object({ plugin: pluginSchema.nullable() })),
      },
    },
  }, async (c) => {
    const { decision, grants } = c.req.valid("json");
    const plugin = await plugins.decide(
      c.req.valid("param").id,
      decision === "grant" ? grants : undefined,
    );
    const shown = plugin === undefined ? null : pluginJson(plugin, plugins.permissions(plugin.id));
    return c.json({ plugin: shown }, 200);
  });
}

function addPluginRoutesById(api: Api, checkHealth: CheckHealth): void {
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

  for (const enabled of [true, false]) {
    const action = enabled ? "enable" : "disable";
    api.route("admin", {
      method: "post",
      path: `/api/plugins/{id}/${action}`,
      tags: ["plugins"],
      summary: `${enabled ? "Enable" : "Disable"} a plugin`,
      request: { params: idParam },
      responses: { 200: { description: "The plugin", content: json(pluginSchema) } },
    }, async (c) => {
      return c.json(shown(await plugins.setEnabled(c.req.valid("param").id, enabled)), 200);
    });
  }

  api.route("admin", {
    method: "delete",
    path: "/api/plugins/{id}",
    tags: ["plugins"],
    summary: "Uninstall a plugin",
    request: { params: idParam },
    responses: { 204: { description: "Gone" } },
  }, async (c) => {
    await plugins.uninstall(c.req.valid("param").id);
    return c.body(null, 204);
  });
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

/** The folder that an install request names: an absolute path or a `file:` URL on the host's machine. */
function folderOf(url: string): string {
  if (isAbsolute(url)) return url;
  try {
    if (url.startsWith("file:")) return fileURLToPath(url);
  } catch {
    // Falls through to the same sentence.
  }
  throw new CarrelError(
    "invalid_url",
    `Cannot install "${url}": it is neither an absolute path nor a file: URL.`,
    { details: { field: "url" } },
  );
}
