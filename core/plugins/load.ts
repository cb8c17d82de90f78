/** What is there at the start: built-in plugins, installed ones, questions. Nothing in the rows stops the host. */
import { CarrelError } from "../errors.ts";
import { checkConfig } from "./config.ts";
import { builtinVersion, type Context, entryOf, entryOptions, inSafeMode } from "./context.ts";
import { builtinEntry, type Entry, installedEntry } from "./entry.ts";
import type { StoredPlugin, VersionRow } from "./store.ts";

export async function loadPlugins(context: Context): Promise<void> {
  const { store, registry, builtins, operator, report, waiting } = context;
  const { plugins, waiting: questions, checking } = await store.load(report);
  const rowOf = new Map(plugins.map((stored) => [stored.row.id, stored]));
  for (const source of builtins.values()) {
    const stored = rowOf.get(source.manifest.id);
    const builtin = stored?.row.builtin === true ? stored : undefined;
    const entry = builtinEntry(source, builtin, entryOptions(context));
    if (operator.plugins.has(source.manifest.id)) {
      checkConfig(source.manifest, entry.plugin.config, { missing: "allowed" });
    }
    registry.set(entry);
  }
  const asked = new Set(questions.map(({ consent }) => consent.versionId));
  await giveUpChecks(context, checking, rowOf, asked);
  for (const stored of plugins) {
    if (stored.row.builtin) continue;
    if (registry.find(stored.row.id) !== undefined) {
      const why = "a built-in plugin has this id now";
      report(new CarrelError("conflict", `Cannot load the plugin "${stored.row.id}": ${why}.`));
      continue;
    }
    registry.set(loadOne(context, stored));
  }
  for (const { consent, version } of questions) {
    const entry = registry.find(consent.plugin);
    const about = version ?? (entry === undefined ? undefined : builtinVersion(entry));
    if (about !== undefined) {
      const version = about.state === "checking"
        ? { ...about, state: "awaiting_consent" as const }
        : about;
      waiting.set(consent.id, { row: consent, version, warnings: [] });
    }
  }
}

function loadOne(context: Context, stored: StoredPlugin): Entry {
  const live = stored.versions.find(({ id }) => id === stored.row.live)!;
  const own = {
    ...stored,
    versions: stored.versions.filter(({ state }) =>
      state !== "awaiting_consent" && state !== "checking"
    ),
  };
  try {
    return entryOf(context, own, live);
  } catch (error) {
    // Settings that this version does not know, in the file or in the rows: it is off, and says why.
    context.report(error);
    const message = error instanceof Error ? error.message : String(error);
    const config = { ...own.config, config: {}, enabled: false, error: message };
    const operator = { ...context.operator, plugins: new Map() };
    return inSafeMode(
      context,
      installedEntry({ ...own, config }, live, { ...entryOptions(context), operator }),
    );
  }
}

/** The host stopped while versions were checked: they did not go live, and can be decided again. */
async function giveUpChecks(
  { store, files, report }: Context,
  checking: readonly VersionRow[],
  rows: ReadonlyMap<string, StoredPlugin>,
  asked: ReadonlySet<string>,
): Promise<void> {
  for (const version of checking) {
    try {
      const stored = rows.get(version.plugin);
      const others = stored?.versions.filter(({ id }) => id !== version.id) ?? [];
      await store.transaction((tx) =>
        asked.has(version.id)
          ? tx.saveVersion({ ...version, state: "awaiting_consent" })
          : tx.removeVersion(version.id)
      );
      await files.removeVersion(version, others);
      await files.removeCheckData(version.plugin);
    } catch (error) {
      report(error);
    }
  }
}
