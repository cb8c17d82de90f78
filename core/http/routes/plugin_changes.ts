/** Plugins: on, off, back, settings, fewer grants, gone; and what was written down of them. */
import { z } from "@hono/zod-openapi";
import { observe, readUses, tightened } from "../../audit/observed.ts";
import { declaredGrants } from "../../plugins/grants.ts";
import { PERMISSIONS, type Plugin } from "../../plugins/plugins.ts";
import type { Api } from "../api.ts";
import {
  auditRowJson,
  consentJson,
  observedJson,
  pluginJson,
  verificationJson,
} from "../plugin_json.ts";
import {
  auditRowSchema,
  configRequestSchema,
  consentSchema,
  observedSchema,
  pluginSchema,
  verificationSchema,
} from "../plugin_schemas.ts";
import { flag, idParam, json, pageQuery } from "./common.ts";

export function addPluginChangeRoutes(api: Api): void {
  addSwitchRoutes(api);
  addConfigRoutes(api);
  addAuditRoutes(api);
}

const showing = ({ host: { plugins } }: Api) => (plugin: Plugin) =>
  pluginJson(plugin, plugins.permissions(plugin.id));

function addSwitchRoutes(api: Api): void {
  const { plugins } = api.host;
  const shown = showing(api);

  for (const enabled of [true, false]) {
    const action = enabled ? "enable" : "disable";
    api.route("admin", {
      method: "post",
      path: `/api/plugins/{id}/${action}`,
      tags: ["plugins"],
      summary: `${enabled ? "Enable" : "Disable"} a plugin`,
      description: enabled
        ? "One that was set aside gets another chance. In safe mode it stays off: `enabled` says so."
        : "Its runners end at once; its jobs are held until it is on again.",
      request: { params: idParam },
      responses: { 200: { description: "The plugin", content: json(pluginSchema) } },
    }, async (c) => {
      const { id } = c.req.valid("param");
      return c.json(shown(await plugins.setEnabled(id, enabled, c.get("actor").user)), 200);
    });
  }

  api.route("admin", {
    method: "post",
    path: "/api/plugins/{id}/rollback",
    tags: ["plugins"],
    summary: "Put the version that was live before live again",
    request: {
      params: idParam,
      body: {
        content: json(
          z.object({
            version: z.string().max(100).optional().openapi({
              description: "This one; the last one that was live unless said",
            }),
          }).strict(),
        ),
      },
    },
    responses: { 200: { description: "The plugin", content: json(pluginSchema) } },
  }, async (c) => {
    const { version } = c.req.valid("json") ?? {};
    const by = c.get("actor").user;
    return c.json(shown(await plugins.rollback(c.req.valid("param").id, { version, by })), 200);
  });

  api.route("admin", {
    method: "delete",
    path: "/api/plugins/{id}",
    tags: ["plugins"],
    summary: "Uninstall a plugin",
    description: "Its jobs that have not ended fail with `not_found`.",
    request: {
      params: idParam,
      query: z.object({
        delete_data: flag.optional().openapi({
          description:
            "Remove its data folder too, and what others of its id left; else it is kept for the same plugin, if it comes back. Where the plugin is gone already, this removes what was kept",
        }),
      }),
    },
    responses: { 204: { description: "Gone" } },
  }, async (c) => {
    await plugins.uninstall(c.req.valid("param").id, {
      deleteData: c.req.valid("query").delete_data ?? false,
      by: c.get("actor").user,
    });
    return c.body(null, 204);
  });
}

function addConfigRoutes(api: Api): void {
  const { plugins } = api.host;
  api.route("admin", {
    method: "put",
    path: "/api/plugins/{id}/config",
    tags: ["plugins"],
    summary: "Set a plugin's settings and limits",
    description:
      "Checked against its JSON Schema; the problem's `details.field` names what is wrong. A secret is a reference, `{env: NAME}` or `{file: /path}`. `consent` waits where a setting leads to another place than was granted.",
    request: { params: idParam, body: { required: true, content: json(configRequestSchema) } },
    responses: {
      200: {
        description: "The plugin",
        content: json(z.object({ plugin: pluginSchema, consent: consentSchema.nullable() })),
      },
    },
  }, async (c) => {
    const { config, limits, auto_update } = c.req.valid("json");
    const { plugin, consent } = await plugins.setConfig(
      c.req.valid("param").id,
      { config, limits, autoUpdate: auto_update },
      c.get("actor").user,
    );
    return c.json({
      plugin: showing(api)(plugin),
      consent: consent === undefined ? null : consentJson(consent),
    }, 200);
  });
}

function addAuditRoutes(api: Api): void {
  const { plugins, audit } = api.host;

  async function observed(plugin: Plugin) {
    const uses = await readUses(audit, { plugin: plugin.id });
    const { config, manifest, granted } = plugin;
    return observe(declaredGrants(manifest), granted, uses, { config });
  }

  api.route("reader", {
    method: "get",
    path: "/api/plugins/{id}/audit",
    tags: ["plugins"],
    summary: "What was done with a plugin and by it, newest first; observed against declared",
    description: "Of one that was uninstalled as well; nothing is `observed` of that.",
    request: { params: idParam, query: pageQuery.extend({ event: z.string().max(50).optional() }) },
    responses: {
      200: {
        description: "A page, and how each permission was used",
        content: json(z.object({
          items: z.array(auditRowSchema),
          cursor: z.string().nullable(),
          observed: z.array(observedSchema),
        })),
      },
    },
  }, async (c) => {
    const { id } = c.req.valid("param");
    const page = await audit.list({ ...c.req.valid("query"), plugin: id });
    // What was done with a plugin stays readable when it is gone.
    const isKnown = page.items.length > 0 ||
      (await audit.list({ plugin: id, limit: 1 })).items.length > 0;
    const plugin = isKnown ? plugins.list().find((one) => one.id === id) : plugins.get(id);
    const entries = plugin === undefined ? [] : (await observed(plugin)).entries;
    return c.json({
      items: page.items.map(auditRowJson),
      cursor: page.cursor ?? null,
      observed: entries.map(observedJson),
    }, 200);
  });

  api.route("admin", {
    method: "post",
    path: "/api/plugins/{id}/tighten",
    tags: ["plugins"],
    summary: "Deny what was granted and never used",
    request: {
      params: idParam,
      query: z.object({ dry_run: flag.optional().openapi({ description: "Only say what" }) }),
    },
    responses: {
      200: {
        description: "The plugin, and what was dropped",
        content: json(z.object({ plugin: pluginSchema, dropped: z.array(z.string()) })),
      },
    },
  }, async (c) => {
    const plugin = plugins.get(c.req.valid("param").id);
    const left = tightened(plugin.granted, await observed(plugin));
    const keysOf = (grants: typeof left) =>
      PERMISSIONS.flatMap((name) => grants[name].map((value) => `${name}:${value}`));
    const keep = keysOf(left);
    const dropped = keysOf(plugin.granted).filter((key) => !keep.includes(key));
    const now = c.req.valid("query").dry_run
      ? plugin
      : await plugins.tighten(plugin.id, keep, c.get("actor").user);
    return c.json({ plugin: showing(api)(now), dropped }, 200);
  });

  api.route("admin", {
    method: "post",
    path: "/api/plugins/{id}/revoke",
    tags: ["plugins"],
    summary: "Take grants back: they are denied from now on, and its runners end",
    description:
      "Jobs that were at work in a runner begin that stage again, without the grant. A key may name a host without its port 443, or as the setting has it that leads there.",
    request: {
      params: idParam,
      body: {
        required: true,
        content: json(z.object({ grants: z.array(z.string().max(2_000)).min(1).max(200) })),
      },
    },
    responses: { 200: { description: "The plugin", content: json(pluginSchema) } },
  }, async (c) => {
    const { grants } = c.req.valid("json");
    const plugin = await plugins.revoke(c.req.valid("param").id, grants, c.get("actor").user);
    return c.json(showing(api)(plugin), 200);
  });

  api.route("admin", {
    method: "get",
    path: "/api/audit",
    tags: ["audit"],
    summary: "What was done with all plugins and by them, newest first",
    request: {
      query: pageQuery.extend({
        event: z.string().max(50).optional(),
        since: z.iso.datetime({ offset: true }).optional(),
      }),
    },
    responses: {
      200: {
        description: "A page",
        content: json(z.object({ items: z.array(auditRowSchema), cursor: z.string().nullable() })),
      },
    },
  }, async (c) => {
    const page = await audit.list(c.req.valid("query"));
    return c.json({ items: page.items.map(auditRowJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("admin", {
    method: "get",
    path: "/api/audit/verification",
    tags: ["audit"],
    summary: "Check that nothing of the audit was changed, added or taken away",
    responses: { 200: { description: "What was found", content: json(verificationSchema) } },
  }, async (c) => c.json(verificationJson(await audit.verify()), 200));
}
