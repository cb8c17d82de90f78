/**
 * The files of installed versions: `plugins/<id>/<version>/<digest>.js` with its manifest and lock beside it,
 * and the plugin's own data in `plugins/<id>/data`.
 */
import { dirname, join } from "node:path";
import { CarrelError } from "../errors.ts";
import { isWhole, sha256, writeAtomically } from "./bundle_cache.ts";
import { LOCK_FILE } from "./lock_file.ts";
import { MANIFEST_FILE } from "./manifest.ts";
import { type Identity, isSamePlugin } from "./identity.ts";
import type { VersionRow } from "./store.ts";

type Named = Pick<VersionRow, "plugin" | "version" | "digest">;

/** Says whose a data folder is that was kept when its plugin was uninstalled. */
const OWNER_FILE = "owner.json";
/** The data of plugins that another one has replaced, a folder for each. No version is called so. */
const ASIDE_DIR = "replaced";
const NOBODY: Identity = { origin: "", signedBy: undefined };

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
  const asideOf = async (id: string, { origin, signedBy }: Identity) =>
    join(pluginDir(id), ASIDE_DIR, (await sha256(`${signedBy ?? ""}\n${origin}`)).slice(0, 16));
  const keptData = (id: string) => readOwner(ownerFile(id));
  const hasData = async (id: string) =>
    await exists(join(pluginDir(id), "data")) || await exists(join(pluginDir(id), ASIDE_DIR));

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

    /** Removes all of a plugin's folder but this version, its data, and what others have left behind. */
    async removeOthers(version: Named): Promise<void> {
      const folder = pluginDir(version.plugin);
      for await (const { name } of entries(folder)) {
        if (![version.version, "data", ASIDE_DIR].includes(name)) await remove(join(folder, name));
      }
      const kept = dirname(bundleOf(version));
      for await (const { name } of entries(kept)) {
        if (name.endsWith(".js") && name !== `${version.digest}.js`) await remove(join(kept, name));
      }
    },

    /** Removes a plugin's folder; its data stays, with a note whose it is, if asked. */
    async removePlugin(id: string, keepDataOf: Identity | undefined): Promise<void> {
      if (keepDataOf === undefined || !await hasData(id)) return await remove(pluginDir(id));
      for await (const { name } of entries(pluginDir(id))) {
        if (name !== "data" && name !== ASIDE_DIR) await remove(join(pluginDir(id), name));
      }
      await writeOwner(ownerFile(id), keepDataOf);
    },

    /** Whether there is data of a plugin of this id, or of one that it replaced. */
    hasData,

    /**
     * The data folder is to be another plugin's: what is in it waits for the one whose it is. `owner`: who has it
     * now, where that is installed.
     */
    async setDataAside(id: string, owner: Identity | undefined): Promise<void> {
      const whose = owner ?? await keptData(id);
      const data = join(pluginDir(id), "data");
      if (!await exists(data)) return;
      const place = await asideOf(id, whose ?? NOBODY);
      await remove(place);
      await Deno.mkdir(place, { recursive: true, mode: 0o700 });
      await Deno.rename(data, join(place, "data"));
      await writeOwner(join(place, OWNER_FILE), whose ?? NOBODY);
      await remove(ownerFile(id));
    },

    /** A plugin that was replaced is installed again: its data is its own again. */
    async bringDataBack(id: string, owner: Identity): Promise<void> {
      const data = join(pluginDir(id), "data");
      for await (const { name } of entries(join(pluginDir(id), ASIDE_DIR))) {
        const place = join(pluginDir(id), ASIDE_DIR, name);
        const whose = await readOwner(join(place, OWNER_FILE));
        if (whose === undefined || !isSamePlugin(whose, owner) || await exists(data)) continue;
        await Deno.rename(join(place, "data"), data);
        await remove(place);
      }
    },

    /** Whose data lies there, of a plugin that was uninstalled; undefined when there is none. */
    keptData,
    /** The data has an owner that is installed again. */
    takeData: (id: string) => remove(ownerFile(id)),
  };
}

async function writeOwner(path: string, { origin, signedBy }: Identity): Promise<void> {
  const note = JSON.stringify({ origin, signed_by: signedBy ?? null });
  await writeAtomically(path, new TextEncoder().encode(note));
}

/** Undefined where there is no note; nobody's where it cannot be read. */
async function readOwner(path: string): Promise<Identity | undefined> {
  try {
    const { origin, signed_by } = JSON.parse(await Deno.readTextFile(path));
    return { origin: String(origin), signedBy: signed_by ?? undefined };
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? undefined : NOBODY;
  }
}

const exists = (path: string) => Deno.lstat(path).then(() => true, () => false);

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
