/** What is to be done with a version that was fetched: nothing, live at once, or a question. */
import { CarrelError } from "../errors.ts";
import { addConsent, dropConsents } from "./consents.ts";
import { builtinVersion, type Context, show } from "./context.ts";
import { permissionKeys } from "./decisions.ts";
import type { Entry } from "./entry.ts";
import { goLive, releaseDigest } from "./go_live.ts";
import { asksNothingNew, isSamePlugin, versionWarnings } from "./identity.ts";
import { findPlaces } from "./places.ts";
import type { Consent, Installed } from "./plugins.ts";
import type { VersionRow } from "./store.ts";

/** Puts a version live where nothing has to be asked, else puts the question. */
export async function offer(
  context: Context,
  version: VersionRow,
  by: string,
): Promise<Installed> {
  const { registry, files } = context;
  const before = registry.find(version.plugin);
  const same = before !== undefined && isSamePlugin(before.plugin, version);
  if (same && isLive(before, version)) {
    await releaseDigest(context, version.digest, true);
    return { consent: undefined, plugin: before.plugin, unchanged: true };
  }
  if (before !== undefined && same && needsNoYes(context, before, version)) {
    const plugin = await goLive(context, { version, decisions: [], by });
    return { consent: undefined, plugin, unchanged: false };
  }
  const kept = before === undefined ? await files.keptData(version.plugin) : undefined;
  const consent = await addConsent(context, {
    version,
    kind: before === undefined ? "install" : same ? "update" : "replace",
    places: await placesFor(context, version, same ? before : undefined),
    by,
    warnings: kept !== undefined && !isSamePlugin(kept, version)
      ? [`Another plugin with this id has left data behind: this one does not get it.`]
      : [],
  });
  return { consent, plugin: before?.plugin, unchanged: false };
}

function isLive({ live }: Entry, version: VersionRow): boolean {
  return live?.digest === version.digest &&
    (live.manifestDigest === version.manifestDigest ||
      live.manifestDigest === "" &&
        JSON.stringify(live.manifest) === JSON.stringify(version.manifest));
}

function needsNoYes(context: Context, before: Entry, version: VersionRow): boolean {
  const { plugin } = before;
  const sameKey = version.verified && plugin.verified && plugin.signedBy === version.signedBy;
  if (!sameKey && !plugin.autoUpdate) return false;
  // Nobody is taken back, nor to other code under the same number, without a word.
  if (versionWarnings(plugin.version, version.version).length > 0) return false;
  return asksNothingNew(
    show(context, {
      row: { ...NO_ROW, plugin: plugin.id },
      version,
      warnings: [],
    }).difference!,
    before.grants,
  );
}

async function placesFor(context: Context, version: VersionRow, before: Entry | undefined) {
  const { operator, network } = context;
  const config = {
    ...operator.plugins.get(version.plugin)?.config,
    ...before?.stored?.config.config,
  };
  return await findPlaces(version.manifest, config, network);
}

/** Puts a job's question, once. Throws `denied` for what the manifest does not declare. */
export async function ask(
  context: Context,
  id: string,
  keys: readonly string[],
  { job }: { readonly job?: string | undefined } = {},
): Promise<Consent> {
  const { registry, network } = context;
  const entry = registry.get(id);
  const declared = permissionKeys(entry.plugin.manifest);
  const trusted = entry.plugin.trust === "trusted";
  const stranger = keys.find((key) =>
    !declared.includes(key) || !trusted && key.startsWith("run:")
  );
  if (stranger !== undefined || keys.length === 0) {
    throw new CarrelError(
      "denied",
      `Cannot ask for "${stranger ?? "nothing"}": the plugin "${id}" does not declare it${
        stranger?.startsWith("run:") ? ", or is not trusted by config/plugins.yaml" : ""
      }.`,
    );
  }
  const waits = [...context.waiting.values()].find(({ row }) =>
    row.plugin === id && row.kind === "request" && row.job === job &&
    row.keys?.join() === keys.join()
  );
  if (waits !== undefined) return show(context, waits);
  const consent = await addConsent(context, {
    version: entry.live ?? builtinVersion(entry),
    kind: "request",
    keys,
    places: await findPlaces(entry.plugin.manifest, entry.plugin.config, network),
    job,
    by: id,
  });
  return consent!;
}

/** Takes a job's question away, for nobody needs the answer: that decides nothing. */
export async function withdraw(context: Context, consent: string): Promise<void> {
  const row = context.waiting.get(consent)?.row;
  if (row?.kind !== "request") return;
  await context.store.transaction((tx) => dropConsents(context, tx, ({ id }) => id === consent));
  const { plugin, job } = row;
  context.events?.emit("consent.decided", { consent, plugin, job, granted: [] });
}

/** For a look at a version as an update. */
const NO_ROW = {
  id: "",
  kind: "update",
  versionId: "",
  keys: undefined,
  places: {},
  job: undefined,
  askedBy: "",
  created: "",
} as const;
