/** Plugins on this machine: a folder, or an archive of one. */
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import { CarrelError } from "../../errors.ts";
import { MANIFEST_FILE } from "../manifest.ts";
import type { FetchSession } from "./fetcher.ts";
import { sizeText } from "./fetcher/limits.ts";
import { readFolder } from "./folder.ts";
import { archiveFormat, pathOrigin, type Reference } from "./reference.ts";
import type { Brought } from "./types.ts";

export async function fromPath(
  session: FetchSession,
  { path }: Extract<Reference, { kind: "path" }>,
): Promise<Brought> {
  const real = await Deno.realPath(path).catch(() => undefined);
  const info = real === undefined ? undefined : await Deno.stat(real);
  if (real !== undefined && info?.isDirectory) {
    // Looked for first: a folder named by mistake is not read through.
    await Deno.lstat(`${real}/${MANIFEST_FILE}`).catch(() => {
      throw new CarrelError(
        "invalid_manifest",
        `Cannot install "${path}": expected a file ${MANIFEST_FILE} in it.`,
      );
    });
    const entries = await readFolder(real, session.limits);
    const { href } = pathToFileURL(real);
    return {
      files: entries.map((entry) => ({
        ...entry,
        url: pathToFileURL(`${real}/${entry.path}`).href,
      })),
      origin: href,
      resolved: href,
    };
  }
  const format = archiveFormat(path);
  if (real === undefined || !info?.isFile || format === undefined) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot install "${path}": there is no such folder, .carrel or .tgz file.`,
    );
  }
  const { downloadBytes } = session.limits;
  if (info.size > downloadBytes) {
    throw new CarrelError(
      "too_large",
      `Cannot install "${path}": it is larger than ${sizeText(downloadBytes)}.`,
    );
  }
  const { href } = pathToFileURL(real);
  const entries = await session.unpack(
    await Deno.readFile(real),
    basename(real),
    format,
    MANIFEST_FILE,
  );
  return {
    files: entries.map((entry) => ({ ...entry, url: `${href}#${entry.path}` })),
    origin: pathOrigin(real),
    resolved: href,
  };
}
