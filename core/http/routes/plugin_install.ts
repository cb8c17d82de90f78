/** Installing plugins, and answering their questions. */
import { z } from "@hono/zod-openapi";
import type { GrantRequest } from "../../plugins/plugins.ts";
import type { Api } from "../api.ts";
import { consentJson, pluginJson } from "../plugin_json.ts";
import {
  consentSchema,
  decisionSchema,
  installRequestSchema,
  pluginSchema,
} from "../plugin_schemas.ts";
import { idParam, json } from "./common.ts";

/** Installs at once: each fetches, unpacks and bundles. */
const INSTALLS_AT_ONCE = 4;

export function addInstallRoutes(api: Api): void {
  const { plugins } = api.host;
  const take = createTurnstile(INSTALLS_AT_ONCE);
  addAskRoute(api);

  api.route("admin", {
    method: "post",
    path: "/api/plugins/install",
    tags: ["plugins"],
    summary: "Install a plugin, or another version of it",
    description:
      "Fetches and bundles it; nothing of it runs before the consent is decided. `consent` is null where nothing had to be asked: it is live already, or an update that asks for nothing new by the same key.",
    request: { body: { required: true, content: json(installRequestSchema) } },
    responses: {
      202: {
        description: "The consent that waits",
        content: json(z.object({
          job: z.null(),
          consent: consentSchema.nullable(),
          plugin: pluginSchema.nullable(),
          unchanged: z.boolean(),
        })),
      },
    },
  }, async (c) => {
    const { signal } = c.req.raw;
    const { url } = c.req.valid("json");
    const { consent, plugin, unchanged } = await take(() =>
      plugins.install(url, { by: c.get("actor").user, signal })
    );
    return c.json({
      job: null,
      consent: consent === undefined ? null : consentJson(consent),
      plugin: plugin === undefined ? null : pluginJson(plugin, plugins.permissions(plugin.id)),
      unchanged,
    }, 202);
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
    method: "get",
    path: "/api/plugins/consents/{id}",
    tags: ["plugins"],
    summary: "A consent that waits",
    request: { params: idParam },
    responses: { 200: { description: "The consent", content: json(consentSchema) } },
  }, (c) => c.json(consentJson(plugins.consent(c.req.valid("param").id)), 200));

  api.route("admin", {
    method: "post",
    path: "/api/plugins/consents/{id}",
    tags: ["plugins"],
    summary: "Decide a consent",
    description:
      "`grant` grants just the permissions in `grants` and denies the others (of what is installed already, it must name some); a new version goes live once it has answered its health check, and if it does not, `error` of the plugin says why. `deny` drops it, and the answer's `plugin` is null where none is installed.",
    request: { params: idParam, body: { required: true, content: json(decisionSchema) } },
    responses: {
      200: {
        description: "The plugin",
        content: json(z.object({ plugin: pluginSchema.nullable() })),
      },
    },
  }, async (c) => {
    const { decision, grants, duration, until } = c.req.valid("json");
    const given = grants.map((one): GrantRequest => {
      const grant = typeof one === "string" ? { key: one } : one;
      return { ...grant, duration: grant.duration ?? duration, until: grant.until ?? until };
    });
    const plugin = await plugins.decide(
      c.req.valid("param").id,
      decision === "grant" ? given : undefined,
      c.get("actor").user,
    );
    const shown = plugin === undefined ? null : pluginJson(plugin, plugins.permissions(plugin.id));
    return c.json({ plugin: shown }, 200);
  });
}

function addAskRoute(api: Api): void {
  const { plugins } = api.host;
  api.route("admin", {
    method: "post",
    path: "/api/plugins/{id}/consent",
    tags: ["plugins"],
    summary: "Ask anew about permissions of an installed plugin",
    description: "Those named, or all that are not granted; null where all is granted.",
    request: {
      params: idParam,
      body: {
        content: json(z.object({ keys: z.array(z.string()).max(1000).optional() }).strict()),
      },
    },
    responses: {
      202: {
        description: "The consent that waits",
        content: json(z.object({ consent: consentSchema.nullable() })),
      },
    },
  }, async (c) => {
    const { id } = c.req.valid("param");
    const { keys } = c.req.valid("json") ?? {};
    const trusted = plugins.get(id).trust === "trusted";
    const asked = keys ??
      plugins.permissions(id)
        .filter(({ granted, permission }) => !granted && (trusted || permission !== "run"))
        .map(({ key }) => key);
    const consent = asked.length === 0 ? undefined : await plugins.ask(id, asked);
    return c.json({ consent: consent === undefined ? null : consentJson(consent) }, 202);
  });
}

/** Lets so many through at once. */
function createTurnstile(places: number): <T>(work: () => Promise<T>) => Promise<T> {
  const line: (() => void)[] = [];
  let free = places;
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await work();
    } finally {
      const next = line.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
