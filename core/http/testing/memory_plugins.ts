/** The plugins port in memory, for tests of the HTTP layer: nothing of a plugin is run. */
import { DEFAULT_LIMITS } from "../../../sandbox/types.ts";
import { CarrelError } from "../../errors.ts";
import { kindOf, parseManifest } from "../../plugins/manifest.ts";
import type { Consent, PermissionRequest, Plugin } from "../../plugins/plugins.ts";
import type { HttpHost } from "../host.ts";

const NONE = { match: [], net: [], read: [], write: [], env: [], services: [], calls: [] };

export function memoryPlugin(id: string, enabled = true): Plugin {
  const formats = kindOf(id) === "export" ? "formats: [ebook]" : "match: ['https://*']";
  const manifest = parseManifest(`
id: ${id}
version: 1.0.0
name: ${id}
description: A plugin for tests.
entry: mod.ts
${formats}
config: {type: object, properties: {depth: {type: integer, default: 1}}}
`);
  return {
    id,
    kind: kindOf(id),
    version: manifest.version,
    manifest,
    origin: "builtin",
    builtin: true,
    enabled,
    trust: "restricted",
    digest: "0".repeat(64),
    granted: { ...NONE, net: ["${source.site}"] },
    config: { depth: 1 },
    limits: DEFAULT_LIMITS,
  };
}

const permission: PermissionRequest = {
  key: "net:${source.site}",
  permission: "net",
  value: "${source.site}",
  text: "Send requests to the site that the job's URL belongs to",
  risk: "medium",
  reason: undefined,
  granted: true,
};

export function createMemoryPlugins(first: readonly Plugin[]): HttpHost["plugins"] {
  const plugins = new Map(first.map((plugin) => [plugin.id, plugin]));
  const consents = new Map<string, Consent>();

  function get(id: string): Plugin {
    const plugin = plugins.get(id);
    if (plugin === undefined) throw new CarrelError("not_found", `Cannot find plugin "${id}".`);
    return plugin;
  }

  return {
    list: ({ kind, enabled } = {}) =>
      [...plugins.values()].filter((plugin) =>
        (kind === undefined || plugin.kind === kind) &&
        (enabled === undefined || plugin.enabled === enabled)
      ),
    get,
    permissions: (id) => [{ ...permission, granted: get(id).granted.net.length > 0 }],
    async install(folder) {
      const consent: Consent = {
        id: "consent_1",
        plugin: "import.new",
        name: "New",
        version: "1.0.0",
        description: "",
        origin: folder,
        digest: "1".repeat(64),
        permissions: [{ ...permission, granted: false }],
        warnings: ["It reads and sends."],
      };
      consents.set(consent.id, consent);
      return consent;
    },
    consents: () => [...consents.values()],
    async decide(id, grants) {
      const consent = consents.get(id);
      if (consent === undefined) throw new CarrelError("not_found", `Cannot find consent "${id}".`);
      consents.delete(id);
      if (grants === undefined) return undefined;
      const plugin = { ...memoryPlugin(consent.plugin), granted: { ...NONE, net: grants } };
      plugins.set(plugin.id, plugin);
      return plugin;
    },
    async setEnabled(id, enabled) {
      const plugin = { ...get(id), enabled };
      plugins.set(id, plugin);
      return plugin;
    },
    async uninstall(id) {
      get(id);
      plugins.delete(id);
    },
  };
}
