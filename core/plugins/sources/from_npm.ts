/** Plugins in an npm registry. Nothing of npm runs: no dependency is installed, no script started. */
import { CarrelError } from "../../errors.ts";
import { MANIFEST_FILE } from "../manifest.ts";
import type { FetchSession } from "./fetcher.ts";
import type { Reference } from "./reference.ts";
import type { Brought } from "./types.ts";

export async function fromNpm(
  session: FetchSession,
  { name, wanted }: Extract<Reference, { kind: "npm" }>,
  registry: string,
): Promise<Brought> {
  const base = registry.endsWith("/") ? registry : `${registry}/`;
  const found = await session.npm(
    new URL(name.replace("/", "%2f"), base).href,
    name,
    wanted,
  );
  const resolved = `npm:${name}@${found.version}`;
  const { bytes } = await session.get(new URL(found.tarball, base).href);
  const sum = await crypto.subtle.digest("SHA-512", bytes as Uint8Array<ArrayBuffer>);
  if (new Uint8Array(sum).toBase64() !== found.sha512) {
    throw new CarrelError(
      "damaged",
      `Cannot install "${resolved}": its archive is not the one that the registry speaks of (its SHA-512 differs).`,
    );
  }
  const entries = await session.unpack(bytes, resolved, "tar", MANIFEST_FILE);
  return {
    files: entries.map(({ path, bytes }) => ({ path, bytes, url: `${found.tarball}#${path}` })),
    origin: `npm:${name}`,
    resolved,
  };
}
