/** The guest that fetches from git repositories over smart HTTP. It is granted one server, on one port. */
import "./buffer.ts";
import { type PluginContext, PluginError } from "@carrel/sdk";
import git, { type HttpClient } from "isomorphic-git";
import { createEntryGate, type Entry } from "./entries.ts";
import { createGitHttp } from "./git_http.ts";
import type { SourceLimits } from "./limits.ts";
import { createMemoryFs } from "./memory_fs.ts";

export interface CloneRequest {
  readonly url: string;
  /** A tag, a branch, or a commit's whole id. @default the repository's HEAD */
  readonly ref?: string;
  readonly limits: SourceLimits;
}

/** One commit's files. */
export interface Commit {
  /** SHA-1, hex. */
  readonly commit: string;
  readonly files: readonly Entry[];
}

const GITDIR = "/git";
/** Folders in a row; deeper paths are refused by the gate as well. */
const MAX_DEPTH = 32;

async function clone({ url, ref, limits }: CloneRequest, ctx: PluginContext): Promise<Commit> {
  const fs = createMemoryFs();
  const http: HttpClient = createGitHttp({ url, limits, signal: ctx.signal });
  const what = `git+${url}${ref === undefined ? "" : `#${ref}`}`;
  const place = { fs, gitdir: GITDIR };
  try {
    await git.init({ ...place, dir: "/", bare: true });
    await git.addRemote({ ...place, remote: "origin", url });
    const { fetchHead } = await git.fetch({
      ...place,
      http,
      remote: "origin",
      ...(ref === undefined ? {} : { ref }),
      depth: 1,
      singleBranch: true,
      tags: false,
    });
    if (fetchHead === null) {
      throw new PluginError("empty", `Cannot fetch "${what}": the repository is empty.`);
    }
    // Tags lead on to their commit.
    const { oid, commit } = await git.readCommit({ ...place, oid: fetchHead });
    return { commit: oid, files: await filesOf(commit.tree) };
  } catch (error) {
    throw gitError(error, what);
  }

  async function filesOf(root: string): Promise<readonly Entry[]> {
    const gate = createEntryGate(what, limits);
    const cache = {};
    const files: Entry[] = [];
    const walk = async (oid: string, above: string, depth: number): Promise<void> => {
      const { tree } = await git.readTree({ ...place, oid, cache });
      for (const { mode, path: name, oid, type } of tree) {
        const path = above + name;
        // What git lets nobody write, a hand-made tree may hold.
        if (name.includes("/") || depth > MAX_DEPTH) throw refuse(path, "has a broken name");
        if (type === "tree") {
          gate.folder(path);
          await walk(oid, `${path}/`, depth + 1);
        } else if (type === "commit") {
          // A submodule: a repository of its own, which is not fetched.
          gate.folder(path);
        } else if (!/^0?100(644|755|664)$/.test(mode)) {
          throw refuse(path, "is a symbolic link, which a plugin may not hold");
        } else {
          gate.file(path);
          const { blob } = await git.readBlob({ ...place, oid, cache });
          gate.count(path, blob.length, blob.length);
          files.push({ path, bytes: blob });
        }
      }
    };
    await walk(root, "", 0);
    return files;
  }

  function refuse(path: string, why: string): PluginError {
    return new PluginError("damaged", `Cannot fetch "${what}": the file "${path}" ${why}.`, {
      data: { file: path.slice(0, 200) },
    });
  }
}

function gitError(error: unknown, what: string): unknown {
  const { name, code, message } = error as { name?: string; code?: string; message?: string };
  if (name === "PluginError" || name === "AbortError") return error;
  const fail = (why: string, data = {}) =>
    new PluginError("fetch_failed", `Cannot fetch "${what}": ${why}.`, { cause: error, data });
  switch (code) {
    case "NotFoundError":
      return fail("the repository has no such tag, branch or commit");
    case "SmartHttpError":
      return fail("there is no git repository, or its server does not speak git's smart protocol");
    default:
      return fail(String(message ?? code ?? "the answer cannot be read").slice(0, 300));
  }
}

export default { kind: "fetcher", methods: { clone } };
