/** Plugins on web servers: a manifest with its modules beside it, or an archive. */
import { CarrelError } from "../../errors.ts";
import { LOCK_FILE, parseLock, SIGNATURE_FILE } from "../lock_file.ts";
import { MANIFEST_FILE, parseManifest } from "../manifest.ts";
import type { FetchSession } from "./fetcher.ts";
import type { GotFile } from "./fetcher/web.ts";
import { type Reference, webOrigin } from "./reference.ts";
import type { Brought } from "./types.ts";

const MAX_MANIFEST_BYTES = 256 * 1024;

export async function fromManifest(
  session: FetchSession,
  { url }: Extract<Reference, { kind: "manifest" }>,
): Promise<Brought> {
  const got = await session.get(url, { maxBytes: MAX_MANIFEST_BYTES });
  const base = got.url;
  // Read here already: a wrong address is told from the answer, before anything else is asked for.
  const manifest = parseManifest(new TextDecoder().decode(got.bytes), { file: url });
  const lock = await beside(session, base, LOCK_FILE);
  const found: GotFile[] = [{ path: MANIFEST_FILE, url: base, bytes: got.bytes }];
  if (lock === undefined) {
    found.push(...await session.files(base, [manifest.entry], true));
  } else {
    const { files } = parseLock(new TextDecoder().decode(lock.bytes), lock.url);
    const others = files.map(({ path }) => path).filter((path) => path !== MANIFEST_FILE);
    found.push(lock, ...await session.files(base, others, false));
    const signature = await beside(session, base, SIGNATURE_FILE);
    if (signature !== undefined) found.push(signature);
  }
  return { files: found, origin: webOrigin(url), resolved: url };
}

/** A file that need not be there. Some servers answer a page to whatever is asked: that is no such file. */
async function beside(
  session: FetchSession,
  base: string,
  path: string,
): Promise<GotFile | undefined> {
  try {
    const [file] = await session.files(base, [path], false);
    return file !== undefined && /^\s*\{/.test(new TextDecoder().decode(file.bytes))
      ? file
      : undefined;
  } catch (error) {
    if (!(error instanceof CarrelError)) throw error;
    const missing = error.code === "http_error" &&
      [403, 404, 410].includes(error.details?.status as number);
    if (missing || error.code === "redirected") return undefined;
    throw error;
  }
}

export async function fromArchive(
  session: FetchSession,
  { url, format }: Extract<Reference, { kind: "archive" }>,
): Promise<Brought> {
  const { bytes } = await session.get(url);
  const entries = await session.unpack(bytes, url, format, MANIFEST_FILE);
  return {
    files: entries.map(({ path, bytes }) => ({ path, bytes, url: `${url}#${path}` })),
    origin: webOrigin(url),
    resolved: url,
  };
}
