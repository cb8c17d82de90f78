/** The plugins port in memory, for tests of the HTTP layer: nothing of a plugin is run. */
import { DEFAULT_LIMITS } from "../../../sandbox/types.ts";
import { CarrelError } from "../../errors.ts";
import { NOTHING_DECLARED } from "../../plugins/grants.ts";
import { kindOf, parseManifest } from "../../plugins/manifest.ts";
import type { Consent, PermissionRequest, Plugin } from "../../plugins/plugins.ts";
import type { HttpHost } from "../host.ts";

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
    granted: { ...NOTHING_DECLARED, net: ["${source.site}"] },
    config: { depth: 1 },
    limits: DEFAULT_LIMITS,
    limitRequests: [],
    state: enabled ? "enabled" : "disabled",
    signedBy: undefined,
    verified: true,
    autoUpdate: false,
    health: undefined,
    error: undefined,
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
  denied: false,
  duration: "always",
  until: undefined,
  place: undefined,
};

const keysOf = (grants: readonly (string | { readonly key: string })[]) =>
  grants.map((grant) => typeof grant === "string" ? grant : grant.key);

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
    versions: (id) => [{
      version: get(id).version,
      digest: get(id).digest,
      state: "enabled",
      live: true,
      origin: "builtin",
      reference: "builtin",
      resolved: "builtin",
      signedBy: undefined,
      verified: true,
      error: undefined,
      created: "2030-01-01",
      lastLive: undefined,
    }],
    async install(folder) {
      if (plugins.has(folder)) {
        return { consent: undefined, plugin: get(folder), unchanged: true };
      }
      const consent: Consent = {
        id: "consent_1",
        plugin: "import.new",
        name: "New",
        version: "1.0.0",
        description: "",
        origin: folder,
        digest: "1".repeat(64),
        permissions: [{ ...permission, granted: false }],
        takes: [],
        warnings: ["It reads and sends."],
        kind: "install",
        signedBy: undefined,
        verified: false,
        limits: DEFAULT_LIMITS,
        limitRequests: [],
        before: undefined,
        difference: undefined,
        job: undefined,
        askedBy: "user_1",
        created: "2030-01-01",
      };
      consents.set(consent.id, consent);
      return { consent, plugin: undefined, unchanged: false };
    },
    consents: () => [...consents.values()],
    consent(id) {
      const consent = consents.get(id);
      if (consent === undefined) throw new CarrelError("not_found", `Cannot find consent "${id}".`);
      return consent;
    },
    async decide(id, grants) {
      const consent = consents.get(id);
      if (consent === undefined) throw new CarrelError("not_found", `Cannot find consent "${id}".`);
      consents.delete(id);
      if (grants === undefined) return undefined;
      const plugin = {
        ...memoryPlugin(consent.plugin),
        granted: { ...NOTHING_DECLARED, net: keysOf(grants) },
      };
      plugins.set(plugin.id, plugin);
      return plugin;
    },
    async setEnabled(id, enabled) {
      const plugin = { ...get(id), enabled };
      plugins.set(id, plugin);
      return plugin;
    },
    async ask(id, keys) {
      const plugin = get(id);
      const consent: Consent = {
        id: "consent_2",
        kind: "request",
        plugin: id,
        name: plugin.manifest.name,
        version: plugin.version,
        description: "",
        origin: plugin.origin,
        digest: plugin.digest,
        signedBy: undefined,
        verified: true,
        permissions: [{ ...permission, granted: false }].filter(({ key }) => keys.includes(key)),
        takes: [],
        warnings: [],
        limits: DEFAULT_LIMITS,
        limitRequests: [],
        before: undefined,
        difference: undefined,
        job: undefined,
        askedBy: id,
        created: "2030-01-01",
      };
      consents.set(consent.id, consent);
      return consent;
    },
    async rollback(id, { version = "0.9.0" } = {}) {
      const plugin = { ...get(id), version };
      plugins.set(id, plugin);
      return plugin;
    },
    async setConfig(id, { config, limits, autoUpdate }) {
      const before = get(id);
      const plugin = {
        ...before,
        config: config ?? before.config,
        limits: { ...before.limits, ...limits } as unknown as typeof before.limits,
        autoUpdate: autoUpdate ?? before.autoUpdate,
      };
      plugins.set(id, plugin);
      return { plugin, consent: undefined };
    },
    async tighten(id, keep) {
      const before = get(id);
      const net = before.granted.net.filter((value) => keep.includes(`net:${value}`));
      const plugin = { ...before, granted: { ...before.granted, net } };
      plugins.set(id, plugin);
      return plugin;
    },
    async revoke(id, keys) {
      const before = get(id);
      const net = before.granted.net.filter((value) => !keys.includes(`net:${value}`));
      const plugin = { ...before, granted: { ...before.granted, net } };
      plugins.set(id, plugin);
      return plugin;
    },
    async uninstall(id) {
      get(id);
      plugins.delete(id);
    },
  };
}
