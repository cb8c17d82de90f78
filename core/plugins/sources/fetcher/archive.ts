/** The guest that unpacks. It is granted nothing: what an archive does to it, it does to nobody else. */
import { type Entry, withoutWrapper } from "./entries.ts";
import { readTar, type UnpackLimits } from "./tar.ts";
import { readZip } from "./zip.ts";

export interface UnpackRequest {
  readonly bytes: Uint8Array;
  /** For messages: where the archive came from. */
  readonly what: string;
  readonly format: "tar" | "zip";
  /** The file that must lie at the top; a folder wrapped around it is taken off. */
  readonly manifest: string;
  readonly limits: UnpackLimits;
}

async function unpack(request: UnpackRequest): Promise<readonly Entry[]> {
  const { bytes, what, format, manifest, limits } = request;
  return format === "zip"
    ? await readZip(bytes, what, limits)
    : withoutWrapper(await readTar(bytes, what, limits), manifest);
}

export default { kind: "fetcher", methods: { unpack } };
