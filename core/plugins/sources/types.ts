/**
 * Where plugins come from.
 *
 * - **reference**: what the operator typed: a URL, `npm:name@range`, `git+https://…#ref`, a folder.
 * - **origin**: the reference without its version. Two versions of one origin are versions of one plugin;
 *   the same id from another origin is another plugin.
 * - **guest**: the internal module, run in the sandbox, that fetches or unpacks. The host itself never
 *   speaks to a stranger's server and never inflates a stranger's bytes.
 */
import type { Network } from "../../network/private.ts";
import type { LockFile } from "../lock_file.ts";
import type { Signature } from "../signature.ts";
import type { Fetcher } from "./fetcher.ts";
import type { SourceLimits } from "./fetcher/limits.ts";

export { DEFAULT_SOURCE_LIMITS, type SourceLimits } from "./fetcher/limits.ts";

/** A file of a plugin as it was fetched. */
export interface SourceFile {
  /** Relative to the plugin's folder, parts separated by `/`. */
  readonly path: string;
  /** Where it came from: the file's own URL; inside an archive or a repository that one's, `#` and the path. */
  readonly url: string;
  /** Hex. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/** A plugin's folder, brought to this machine. Disposing removes the folder. */
export interface FetchedPlugin extends AsyncDisposable {
  /** Absolute, for this user alone (0700), holding just `files`. */
  readonly folder: string;
  /** See above. Stable over versions. */
  readonly origin: string;
  readonly reference: string;
  /** The reference with its version pinned: `npm:name@1.2.0`, `git+https://…#<commit>`. */
  readonly resolved: string;
  /** Sorted by path. */
  readonly files: readonly SourceFile[];
  /** The author's lock, checked against the files; else one that was made of them. */
  readonly lock: LockFile;
  /** Of whoever packed it; whether it can be believed says `verifySignature`. */
  readonly signature?: Signature | undefined;
}

export interface FetchOptions {
  readonly fetcher: Fetcher;
  /** Says which private addresses are open. */
  readonly network: Network;
  /** Folders are made in it. Absolute; must be there. */
  readonly tempDir: string;
  /** @default DEFAULT_SOURCE_LIMITS */
  readonly limits?: Partial<SourceLimits> | undefined;
  /** The npm registry's address. @default what npm itself would use: see `findNpmRegistry` */
  readonly npmRegistry?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a source brought, before it is written down. */
export interface Brought {
  readonly files: readonly {
    readonly path: string;
    readonly url: string;
    readonly bytes: Uint8Array;
  }[];
  readonly origin: string;
  readonly resolved: string;
}
