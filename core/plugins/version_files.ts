/**
 * The files of installed versions: `plugins/<id>/<version>/<digest>.js` with its manifest and lock beside it,
 * and the plugin's own data in `plugins/<id>/data`.
 */
import { dirname, join } from "node:path";
import { CarrelError } from "../errors.ts";
import { isWhole, sha256, writeAtomically } from "./bundle_cache.ts";
import { LOCK_FILE } from "./lock_file.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import type { Identity } from "./identity.ts";
import type { VersionRow } from "./store.ts";

type Named = Pick<VersionRow, "plugin" | "version" | "digest">;

/** Says whose a data folder is that was kept when its plugin was uninstalled. */
const OWNER_FILE = "owner.json";

export interface VersionFilesOptions {
  /** The host's data folder. */
  readonly dataDir: string;
  /** Where the bundler keeps bundles that wait. */
  readonly cacheDir: string;
  /** Where runners keep their code cache, by digest. */
  readonly runnersDir: string;
}

export type VersionFiles = ReturnType<typeof createVersionFiles>;

export function createVersionFiles({ dataDir, cacheDir, runnersDir }: VersionFilesOptions) {
  const pluginDir = (id: string) => join(dataDir, "plugins", id);
  const bundleOf = ({ plugin, version, digest }: Named) =>
    join(pluginDir(plugin), version, `${digest}.js`);
  const ownerFile = (id: string) => join(pluginDir(id), OWNER_FILE);

  return {
    bundleOf,
    dataOf: (id: string) => join(pluginDir(id), "data"),
    /** What a stranger sees as its data while it is checked. */
    checkDataOf: (id: string) => join(pluginDir(id), "check"),
    removeCheckData: (id: string) => remove(join(pluginDir(id), "check")),

    /** Copies a waiting bundle to its place. Throws `conflict` when it is gone or was changed. */
    async keep(version: VersionRow): Promise<void> {
      const bytes = await Deno.readFile(join(cacheDir, `${version.digest}.js`))
        .catch(() => new Uint8Array());
      if (await sha256(bytes) !== version.digest) {
        throw new CarrelError(
          "conflict",
          `Cannot install "${version.plugin}": its bundle is gone; install it again.`,
        );
      }
      const path = bundleOf(version);
      const text = new TextEncoder();
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await writeAtomically(
        join(dirname(path), MANIFEST_FILE),
        text.encode(version.manifestText),
      );
      if (version.lock !== undefined) {
        await writeAtomically(join(dirname(path), LOCK_FILE), text.encode(version.lock));
      }
      await writeAtomically(path, bytes);
    },

    /** Throws `unavailable` unless an installed bundle is there as it was installed. */
    async check(version: Named): Promise<void> {
      if (await isWhole(bundleOf(version), version.digest)) return;
      throw new CarrelError(
        "unavailable",
        `Cannot start the plugin "${version.plugin}": its bundle is missing or was changed; install it again.`,
      );
    },

    /** Removes a version's files, but for those that another one shares. */
    async removeVersion(version: Named, others: readonly Named[]): Promise<void> {
      if (!others.some((other) => bundleOf(other) === bundleOf(version))) {
        await remove(bundleOf(version));
      }
      if (!others.some((other) => other.version === version.version)) {
        await remove(dirname(bundleOf(version)));
      }
    },

    /** Removes the code cache that runners keep by digest. */
    forgetCode: (digest: string) => remove(join(runnersDir, digest)),

    /** Removes the bundle that waited, and what is noted of it. */
    async forgetBundle(digest: string): Promise<void> {
      await remove(join(cacheDir, `${digest}.js`));
      for await (const { name } of entries(cacheDir)) {
        if (!name.endsWith(".json")) continue;
        const record = await Deno.readTextFile(join(cacheDir, name)).catch(() => "");
        if (record.includes(digest)) await remove(join(cacheDir, name));
      }
    },

    /** Removes all of a plugin's folder but this version, and its data unless that goes too. */
    async removeOthers(version: Named, options: { readonly data: boolean }): Promise<void> {
      const folder = pluginDir(version.plugin);
      for await (const { name } of entries(folder)) {
        if (name !== version.version && (name !== "data" || options.data)) {
          await remove(join(folder, name));
        }
      }
      const kept = dirname(bundleOf(version));
      for await (const { name } of entries(kept)) {
        if (name.endsWith(".js") && name !== `${version.digest}.js`) await remove(join(kept, name));
      }
    },

    /** Removes a plugin's folder; its data stays, with a note whose it is, if asked. */
    async removePlugin(id: string, keepDataOf: Identity | undefined): Promise<void> {
      const data = await Deno.stat(join(pluginDir(id), "data")).catch(() => undefined);
      if (keepDataOf === undefined || data === undefined) return await remove(pluginDir(id));
      for await (const { name } of entries(pluginDir(id))) {
        if (name !== "data") await remove(join(pluginDir(id), name));
      }
      const { origin, signedBy } = keepDataOf;
      const note = JSON.stringify({ origin, signed_by: signedBy ?? null });
      await writeAtomically(ownerFile(id), new TextEncoder().encode(note));
    },

    /** Whose data lies there, of a plugin that was uninstalled; undefined when there is none. */
    async keptData(id: string): Promise<Identity | undefined> {
      try {
        const { origin, signed_by } = JSON.parse(await Deno.readTextFile(ownerFile(id)));
        return { origin: String(origin), signedBy: signed_by ?? undefined };
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        return { origin: "", signedBy: undefined };
      }
    },
    /** The data has an owner that is installed again. */
    takeData: (id: string) => remove(ownerFile(id)),
  };
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function* entries(folder: string): AsyncGenerator<Deno.DirEntry> {
  try {
    yield* Deno.readDir(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
