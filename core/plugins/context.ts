/** What the use cases of plugins share within one host. */
import type { Pool } from "../../sandbox/types.ts";
import type { Health } from "../../sdk/types.ts";
import type { EventBus } from "../events.ts";
import type { Network } from "../network/private.ts";
import { builtinEntry, type Entry, installedEntry } from "./entry.ts";
import { kindOf } from "./manifest.ts";
import type { OperatorFile } from "./operator_file.ts";
import type { Consent, Gone, OnGone } from "./plugins.ts";
import type { BuiltinSource, Registry } from "./registry.ts";
import {
  NO_CONFIG,
  type PluginStore,
  type PluginTx,
  type StoredPlugin,
  type VersionRow,
} from "./store.ts";
import type { VersionFiles } from "./version_files.ts";
import { showConsent, type Waiting } from "./waiting.ts";

export interface Context {
  readonly store: PluginStore;
  readonly registry: Registry;
  readonly files: VersionFiles;
  readonly operator: OperatorFile;
  readonly network: Network;
  readonly pool: Pool | undefined;
  readonly events: EventBus | undefined;
  /** By id, the oldest first. */
  readonly waiting: Map<string, Waiting>;
  readonly builtins: ReadonlyMap<string, BuiltinSource>;
  /** By id: how often what a plugin may do was taken back. Specs of before start nothing any more. */
  readonly cuts: Map<string, number>;
  /** See `Plugins.onGone`. */
  readonly gone: Set<OnGone>;
  /** Whether installed plugins are off, whatever their rows say. */
  readonly safeMode: boolean;
  readonly report: (error: unknown) => void;
  readonly now: () => number;
  /** Asks a version that is not live yet how it is. */
  readonly check: (entry: Entry, options: { ownData: string }) => Promise<Health>;
}

/** The entry of an installed plugin. */
export function entryOf(context: Context, stored: StoredPlugin, live: VersionRow): Entry {
  return inSafeMode(context, installedEntry(stored, live, entryOptions(context)));
}

/** The entry, off in safe mode. */
export function inSafeMode({ safeMode }: Context, entry: Entry): Entry {
  if (!safeMode || !entry.plugin.enabled) return entry;
  const error = entry.plugin.error ?? "It is off, for this Carrel runs in safe mode.";
  return { ...entry, plugin: { ...entry.plugin, enabled: false, state: "disabled", error } };
}

export function entryOptions({ operator, network, now }: Context) {
  return { operator, nowMs: now(), privateGrant: network.privateGrant };
}

/**
 * Ends what a plugin has under way, for it may not go on as it is. Call it without a pause after the registry was told:
 * from the first moment on, nothing starts that was allowed before.
 */
export async function cutOff({ cuts, pool }: Context, id: string): Promise<void> {
  cuts.set(id, (cuts.get(id) ?? 0) + 1);
  await pool?.retire(id, { kill: true });
}

/** A plugin goes: what belongs to it elsewhere goes in the same transaction. */
export async function tellGone(context: Context, tx: PluginTx, gone: Gone): Promise<void> {
  for (const told of context.gone) await told(tx.tx, gone);
}

/** The same plugin with other rows. */
export function renewEntry(context: Context, entry: Entry, stored: StoredPlugin): Entry {
  const { plugin, live } = entry;
  if (live === undefined) {
    const source = context.builtins.get(plugin.id)!;
    return builtinEntry(source, stored, entryOptions(context), plugin.digest);
  }
  return entryOf(context, stored, stored.versions.find(({ id }) => id === live.id) ?? live);
}

export function show(context: Context, waiting: Waiting): Consent {
  return showConsent(waiting, context.registry.find(waiting.row.plugin), context.operator);
}

export const isoNow = (context: Pick<Context, "now">): string =>
  new Date(context.now()).toISOString();

/** A built-in plugin's version, which has no row. */
export function builtinVersion({ plugin }: Entry): VersionRow {
  return {
    id: "",
    plugin: plugin.id,
    version: plugin.version,
    digest: plugin.digest,
    manifestDigest: "",
    state: plugin.state,
    origin: plugin.origin,
    reference: plugin.origin,
    resolved: plugin.origin,
    signedBy: undefined,
    verified: true,
    manifest: plugin.manifest,
    manifestText: "",
    lock: undefined,
    grants: [],
    error: undefined,
    created: "",
    lastLive: undefined,
  };
}

/** The rows of a plugin; of a built-in one perhaps new ones. */
export function storedOf(context: Context, { stored, plugin }: Entry): StoredPlugin {
  return stored ?? {
    row: {
      id: plugin.id,
      kind: kindOf(plugin.id),
      origin: "builtin",
      signedBy: undefined,
      live: "",
      trust: "trusted",
      builtin: true,
      installed: isoNow(context),
    },
    config: NO_CONFIG,
    grants: [],
    versions: [],
  };
}
