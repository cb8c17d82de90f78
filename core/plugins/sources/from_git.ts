/** Plugins in git repositories: the files of one commit, without its history. */
import type { FetchSession } from "./fetcher.ts";
import { gitOrigin, type Reference } from "./reference.ts";
import type { Brought } from "./types.ts";

export async function fromGit(
  session: FetchSession,
  { url, ref }: Extract<Reference, { kind: "git" }>,
): Promise<Brought> {
  const { commit, files } = await session.git(url, ref);
  const resolved = `git+${url}#${commit}`;
  return {
    files: files.map(({ path, bytes }) => ({ path, bytes, url: `${resolved}:${path}` })),
    origin: gitOrigin(url),
    resolved,
  };
}
