/** Takes grants of an installed plugin back. */
import { CarrelError } from "../errors.ts";
import { type Context, isoNow, renewEntry } from "./context.ts";
import { mergeDecisions } from "./decisions.ts";
import type { Plugin } from "./plugins.ts";

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
  const granted = new Set(grants.filter((row) => row.decision === "granted").map(({ key }) => key));
  const stranger = keys.find((key) => !granted.has(key));
  if (stranger !== undefined && !plugin.builtin) {
    throw new CarrelError(
      "not_found",
      `Cannot take "${stranger}" back from "${id}": it is not granted`,
      { details: { granted: [...granted] } },
    );
  }
  return await drop(context, id, (key) => keys.includes(key), by);
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
  await context.pool?.retire(id);
  return registry.get(id).plugin;
}
