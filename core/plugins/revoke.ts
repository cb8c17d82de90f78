/**
 * Takes grants of an installed plugin back, from what is at work too: its runners end, and the stages of jobs that
 * were at work in them begin again without the grant. What they need of it then is asked.
 */
import { CarrelError } from "../errors.ts";
import { type Context, cutOff, isoNow, renewEntry } from "./context.ts";
import { mergeDecisions } from "./decisions.ts";
import type { Plugin } from "./plugins.ts";
import type { GrantRow } from "./store.ts";

/** Denies all grants but these. */
export function tighten(
  context: Context,
  id: string,
  keep: readonly string[],
  by: string,
): Promise<Plugin> {
  return drop(context, id, (key) => !keep.includes(key), by);
}

/** Denies these grants, for whatever they were given. Throws `not_found` for one that is not granted. */
export async function revoke(
  context: Context,
  id: string,
  keys: readonly string[],
  by: string,
): Promise<Plugin> {
  const { grants, plugin } = context.registry.get(id);
  const rows = grants.filter((row) => row.decision === "granted");
  const named = keys.map((spelled) => {
    const key = rows.find((row) => isSpelled(row, spelled))?.key;
    if (key !== undefined || plugin.builtin) return key ?? spelled;
    const granted = [...new Set(rows.map(({ key }) => key))];
    throw new CarrelError(
      "not_found",
      `Cannot take "${spelled}" back from "${id}": it is not granted. ${
        granted.length === 0 ? "Nothing is." : `Granted: ${granted.join(", ")}`
      }`,
      { details: { granted } },
    );
  });
  return await drop(context, id, (key) => named.includes(key), by);
}

/** As the key itself, without the port of https, or by the host and port that a setting led to. */
function isSpelled({ key, place }: GrantRow, spelled: string): boolean {
  if (key === spelled) return true;
  if (!key.startsWith("net:")) return false;
  return key === `${spelled}:443` || `${key}:443` === spelled ||
    place !== undefined && spelled === `net:${place.host}:${place.port}`;
}

async function drop(
  context: Context,
  id: string,
  dropped: (key: string) => boolean,
  by: string,
): Promise<Plugin> {
  const { registry, store } = context;
  const entry = registry.get(id);
  if (entry.live === undefined) {
    throw new CarrelError(
      "conflict",
      `Cannot take grants of "${id}" back: it is built in; disable it instead.`,
    );
  }
  const decided = isoNow(context);
  const now = entry.grants.filter((row) => row.decision === "granted" && dropped(row.key))
    .map((row) => ({
      ...row,
      job: "",
      decision: "denied" as const,
      duration: "always" as const,
      until: undefined,
      place: undefined,
      decidedBy: by,
      decided,
    }));
  if (now.length === 0) return entry.plugin;
  const grants = mergeDecisions(entry.grants, now);
  await store.transaction(async (tx) => {
    await tx.saveGrants(id, grants);
    await tx.audit({
      event: "consent.denied",
      plugin: id,
      digest: entry.plugin.digest,
      actor: by,
      details: { revoked: now.map(({ key }) => key) },
    });
  });
  registry.set(renewEntry(context, entry, { ...entry.stored!, grants }));
  await cutOff(context, id);
  return registry.get(id).plugin;
}
