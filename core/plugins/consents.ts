/** Questions: put, shown, answered. */
import { newId } from "../ids.ts";
import { CarrelError } from "../errors.ts";
import { type Context, isoNow, renewEntry, show, storedOf } from "./context.ts";
import { decisionFor, decisionRows, mergeDecisions } from "./decisions.ts";
import { goLive, releaseDigest } from "./go_live.ts";
import type { Places } from "./places.ts";
import type { Consent, ConsentKind, GrantRequest, Place, Plugin } from "./plugins.ts";
import type { ConsentRow, GrantRow, PluginTx, VersionRow } from "./store.ts";
import { askedKeys, findWaiting, isTrusted, MAX_CONSENTS, type Waiting } from "./waiting.ts";

/** Those about a version that is not installed yet. */
const ABOUT_NEW: readonly ConsentKind[] = ["install", "update", "replace"];

export interface NewConsent {
  readonly version: VersionRow;
  readonly kind: ConsentKind;
  /** Undefined: all that the version declares. */
  readonly keys?: readonly string[] | undefined;
  readonly places: Places;
  readonly job?: string | undefined;
  readonly by: string;
  readonly warnings?: readonly string[];
}

/** Puts a question in the place of those of its kind; one about nothing only takes those away. */
export async function addConsent(
  context: Context,
  { version, kind, keys, places, job, by, warnings = [] }: NewConsent,
): Promise<Consent | undefined> {
  const { waiting, store } = context;
  const plugin = version.plugin;
  const aboutNew = ABOUT_NEW.includes(kind);
  const [oldest] = [...waiting.values()].filter(({ row }) => row.kind !== "request");
  const isReplaced = (row: ConsentRow) =>
    row.plugin === plugin && (aboutNew ? ABOUT_NEW.includes(row.kind) : row.kind === kind) &&
      row.job === job || waiting.size >= MAX_CONSENTS && row.id === oldest?.row.id;
  const row: ConsentRow = {
    id: newId("consent"),
    plugin,
    kind,
    versionId: version.id,
    keys,
    places: plainPlaces(places),
    job,
    askedBy: by,
    created: isoNow(context),
  };
  const dropped = await store.transaction(async (tx) => {
    const dropped = await dropConsents(context, tx, isReplaced);
    if (keys?.length === 0) return dropped;
    if (aboutNew) await tx.saveVersion(version);
    await tx.saveConsent(row);
    return dropped;
  });
  if (keys?.length === 0) return undefined;
  const added: Waiting = { row, version, warnings };
  waiting.set(row.id, added);
  for (const digest of dropped) await releaseDigest(context, digest);
  context.events?.emit("consent.waits", { consent: row.id, plugin, job });
  return show(context, added);
}

function plainPlaces(places: Places): Readonly<Record<string, Place>> {
  return Object.fromEntries(
    Object.entries(places).map(([key, { host, port, addresses }]) =>
      [key, { host, port, addresses }] as const
    ),
  );
}

/** Takes questions away; gives the digests of bundles that nobody may need any more. */
export async function dropConsents(
  { waiting }: Context,
  tx: PluginTx,
  which: (row: ConsentRow) => boolean,
): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const [id, { row, version }] of [...waiting]) {
    if (!which(row)) continue;
    waiting.delete(id);
    await tx.removeConsent(id);
    if (!ABOUT_NEW.includes(row.kind)) continue;
    await tx.removeVersion(version.id);
    digests.push(version.digest);
  }
  return digests;
}

/** Answers a question. Undefined for a plugin that was refused and is not installed. */
export async function decide(
  context: Context,
  id: string,
  given: readonly (string | GrantRequest)[] | undefined,
  by: string,
): Promise<Plugin | undefined> {
  const { waiting, registry } = context;
  const found = findWaiting(waiting, id);
  const { row, version } = found;
  const trusted = isTrusted(row.plugin, registry.find(row.plugin)?.plugin, context.operator);
  if (!trusted) refusePrograms(given ?? []);
  if (given?.length === 0 && !ABOUT_NEW.includes(row.kind)) {
    throw new CarrelError(
      "bad_request",
      `Cannot grant nothing of "${id}": name the permissions in "grants", or deny it.`,
      { details: { permissions: askedKeys(found, trusted) } },
    );
  }
  const made = decisionRows(askedKeys(found, trusted), given ?? [], {
    by,
    now: isoNow(context),
    places: row.places,
    job: row.job,
  });
  const decisions = row.kind === "update" ? asBefore(context, found, made, given ?? []) : made;
  const granted = decisions.filter(({ decision }) => decision === "granted").map(({ key }) => key);
  const audit = (tx: PluginTx) =>
    tx.audit({
      event: given === undefined ? "consent.denied" : "consent.granted",
      plugin: row.plugin,
      digest: version.digest,
      actor: by,
      job: row.job,
      details: {
        kind: row.kind,
        version: version.version,
        granted: decisions.filter(({ decision }) => decision === "granted").map((one) => ({
          key: one.key,
          duration: one.duration,
          ...(one.until === undefined ? {} : { until: one.until }),
          ...(one.place === undefined ? {} : { place: one.place }),
        })),
        denied: decisions.filter(({ decision }) => decision === "denied").map(({ key }) => key),
      },
    });
  const told = { consent: id, plugin: row.plugin, job: row.job, granted };
  if (!ABOUT_NEW.includes(row.kind)) {
    await decideGrants(context, found, given === undefined, decisions, audit);
    context.events?.emit("consent.decided", told);
    // Behind the answer, which says of a refused job that it was: a hook is told of more from now on.
    if (granted.length > 0) context.events?.emit("plugin.changed", { plugin: row.plugin });
    return registry.get(row.plugin).plugin;
  }
  if (given === undefined) {
    await context.store.transaction(async (tx) => {
      await dropConsents(context, tx, (other) => other.id === id);
      await audit(tx);
    });
    await releaseDigest(context, version.digest);
    context.events?.emit("consent.decided", told);
    return undefined;
  }
  const plugin = await goLive(context, {
    version,
    decisions,
    by,
    alongside: async (tx) => {
      waiting.delete(id);
      await tx.removeConsent(id);
      // Questions about the version that was live are about nothing now.
      await dropConsents(
        context,
        tx,
        (other) => other.plugin === row.plugin && !ABOUT_NEW.includes(other.kind),
      );
      await audit(tx);
    },
  }).catch(async (error) => {
    // A bundle that is gone: what waits can never go live.
    if (!(error instanceof CarrelError) || error.code !== "conflict") throw error;
    await context.store.transaction((tx) => dropConsents(context, tx, (other) => other.id === id));
    throw error;
  });
  context.events?.emit("consent.decided", told);
  return plugin;
}

function refusePrograms(given: readonly (string | GrantRequest)[]): void {
  const key = given.map((one) => typeof one === "string" ? one : one.key)
    .find((key) => key.startsWith("run:"));
  if (key === undefined) return;
  throw new CarrelError(
    "denied",
    `Cannot grant "${key}": only a plugin that config/plugins.yaml marks as trusted runs programs.`,
  );
}

/** A yes to what was granted before, with no word of how long, leaves it as it was: until a date, for instance. */
function asBefore(
  { registry, now }: Context,
  { row }: Waiting,
  decisions: readonly GrantRow[],
  given: readonly (string | GrantRequest)[],
): readonly GrantRow[] {
  const before = registry.find(row.plugin)?.grants ?? [];
  const explicit = (key: string) =>
    given.some((one) => typeof one !== "string" && one.key === key && one.duration !== undefined);
  return decisions.map((decision) => {
    const standing = decisionFor(before, decision.key, { nowMs: now(), start: true });
    const stays = decision.decision === "granted" && standing?.decision === "granted" &&
      !explicit(decision.key);
    return stays ? standing : decision;
  });
}

/** Decisions about permissions of the plugin as it is. */
async function decideGrants(
  context: Context,
  { row }: Waiting,
  refused: boolean,
  decisions: readonly GrantRow[],
  audit: (tx: PluginTx) => Promise<void>,
): Promise<void> {
  const { registry, store } = context;
  const entry = registry.get(row.plugin);
  // A no to a job is about that job.
  const rows = decisions.map((one): GrantRow =>
    one.decision === "denied" && row.job !== undefined
      ? { ...one, duration: "job", job: row.job }
      : one
  );
  const stored = { ...storedOf(context, entry), grants: mergeDecisions(entry.grants, rows) };
  await store.transaction(async (tx) => {
    await dropConsents(context, tx, (other) => other.id === row.id);
    await tx.savePlugin(stored.row);
    await tx.saveGrants(row.plugin, stored.grants);
    await audit(tx);
  });
  registry.set(renewEntry(context, entry, stored));
  if (!refused) await context.pool?.retire(row.plugin);
}
