/** Installing by an id of the registry: `import.example`, `import.example@1.2.0`. */
import { CarrelError } from "../errors.ts";
import { type Available, type AvailableVersion, checkAgainstRegistry } from "./available.ts";
import { lockDigest } from "./lock_file.ts";
import { kindOf } from "./manifest.ts";
import { PLUGIN_KINDS } from "../../sdk/types.ts";
import type { Fetch } from "./prepare.ts";

/** Looks an id up in the registry; fetches all else as it is. */
export function fetchListed(available: Pick<Available, "list">, fetch: Fetch): Fetch {
  return async (reference, options) => {
    const named = /^([a-z]+(?:\.[a-z][a-z0-9_-]*)+)(?:@(.+))?$/.exec(reference.trim());
    if (named === null || !(PLUGIN_KINDS as readonly string[]).includes(kindOf(named[1]!))) {
      return await fetch(reference, options);
    }
    const [, id = "", wanted] = named;
    const { plugins, registry } = await available.list();
    const plugin = plugins.find((one) => one.id === id);
    const fail = (why: string) =>
      new CarrelError("not_found", `Cannot install "${reference}": ${why}.`);
    if (plugin === undefined) throw fail(`the registry ${registry} does not list it`);
    const version: AvailableVersion | undefined = wanted === undefined
      ? plugin.latest
      : plugin.versions.find((one) => one.version === wanted);
    if (version === undefined) {
      throw fail(wanted === undefined ? "no version works with this Carrel" : "no such version");
    }
    const fetched = await fetch(version.reference, options);
    try {
      const { lock } = fetched;
      const digest = await lockDigest(lock);
      checkAgainstRegistry(plugin, version, { id: lock.id, version: lock.version, digest });
    } catch (error) {
      await fetched[Symbol.asyncDispose]();
      throw error;
    }
    return { ...fetched, reference, listed: { verified: plugin.verified } };
  };
}
