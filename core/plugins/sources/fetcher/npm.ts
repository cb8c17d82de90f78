/** Finds the wanted version in what an npm registry says of a package. */
import { PluginError } from "@carrel/sdk";
import semver from "semver";

/** The parts of a packument that matter here; whatever is wrong with them is left out. */
interface Packument {
  readonly "dist-tags"?: Readonly<Record<string, unknown>>;
  readonly versions?: Readonly<
    Record<
      string,
      { readonly deprecated?: unknown; readonly dist?: Readonly<Record<string, unknown>> }
    >
  >;
}

export interface NpmVersion {
  readonly version: string;
  /** Where its archive is. */
  readonly tarball: string;
  /** SHA-512 of the archive, base64. */
  readonly sha512: string;
}

/**
 * `wanted` is a version, a dist-tag, a range, or nothing, which means the tag `latest`. Throws
 * `PluginError` `damaged`, `unreadable`.
 */
export function findVersion(bytes: Uint8Array, name: string, wanted: string): NpmVersion {
  const what = `npm:${name}${wanted === "" ? "" : `@${wanted}`}`;
  const fail = (why: string) => new PluginError("unreadable", `Cannot fetch "${what}": ${why}.`);
  let packument: Packument;
  try {
    packument = JSON.parse(new TextDecoder().decode(bytes)) as Packument;
  } catch {
    throw fail("the registry's answer is not JSON");
  }
  const own = <T>(map: Readonly<Record<string, T>> | undefined, key: string) =>
    typeof map === "object" && map !== null && Object.hasOwn(map, key) ? map[key] : undefined;
  const versions = packument?.versions;
  const tag = (key: string) => {
    const value = own(packument?.["dist-tags"], key);
    return typeof value === "string" ? value : undefined;
  };

  function pick(): string | undefined {
    const tagged = tag(wanted === "" ? "latest" : wanted);
    if (tagged !== undefined) return tagged;
    if (own(versions, wanted) !== undefined) return wanted;
    const range = semver.validRange(wanted) as string | null;
    if (range === null) return undefined;
    const latest = tag("latest");
    if (latest !== undefined && semver.satisfies(latest, range)) return latest;
    const all = Object.keys(versions ?? {});
    const kept = all.filter((version) => own(versions, version)?.deprecated === undefined);
    return (semver.maxSatisfying(kept, range) ?? semver.maxSatisfying(all, range) ?? undefined) as
      | string
      | undefined;
  }

  const version = pick();
  const found = version === undefined ? undefined : own(versions, version);
  if (version === undefined || found === undefined) {
    throw fail("the registry has no such version of it");
  }
  const { tarball, integrity } = found.dist ?? {};
  const sha512 = String(integrity ?? "").split(/\s+/)
    .map((entry) => /^sha512-([A-Za-z0-9+/]{86}==)(\?.*)?$/.exec(entry)?.[1])
    .find((value) => value !== undefined);
  if (sha512 === undefined) {
    throw fail(`the registry gives no SHA-512 of version ${version}, so that it cannot be checked`);
  }
  if (typeof tarball !== "string") {
    throw fail(`the registry does not say where the archive of version ${version} is`);
  }
  return { version, tarball, sha512 };
}
