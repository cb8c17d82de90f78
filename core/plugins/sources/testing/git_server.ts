/** For tests: git's own server, `git http-backend`, behind an HTTP server on this machine. */
import { join } from "node:path";
import type { Handler } from "./kit.ts";

const run = async (cwd: string, ...args: string[]): Promise<string> => {
  const { success, stdout, stderr } = await new Deno.Command("git", {
    args,
    cwd,
    env: {
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_SYSTEM: "/dev/null",
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@example.org",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@example.org",
    },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim();
};

export interface GitRepository {
  /** Runs git in it. */
  git(...args: string[]): Promise<string>;
  /** Commits all that is there; gives the commit's id. */
  commit(): Promise<string>;
  readonly dir: string;
}

export async function createRepository(dir: string): Promise<GitRepository> {
  await Deno.mkdir(dir, { recursive: true });
  await run(dir, "init", "--quiet", "--initial-branch=main");
  await run(dir, "config", "uploadpack.allowAnySHA1InWant", "true");
  const git = (...args: string[]) => run(dir, ...args);
  return {
    dir,
    git,
    async commit() {
      await git("add", "--all");
      await git("commit", "--quiet", "--message=x");
      return await git("rev-parse", "HEAD");
    },
  };
}

/** Serves the repositories below a folder, each by its folder's name. */
export function gitHandler(root: string): Handler {
  return async (request, url) => {
    const child = new Deno.Command("git", {
      args: ["http-backend"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      env: {
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: "1",
        GIT_CONFIG_GLOBAL: "/dev/null",
        PATH_INFO: url.pathname.replace(/^\/([^/]+)\//, (_, name) => `/${join(name, ".git")}/`),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: request.headers.get("content-type") ?? "",
        GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
        REMOTE_ADDR: "127.0.0.1",
      },
    }).spawn();
    const body = new Uint8Array(await request.arrayBuffer());
    const writer = child.stdin.getWriter();
    await writer.write(body).catch(() => {});
    await writer.close().catch(() => {});
    const { stdout } = await child.output();
    // A CGI answer: header lines, an empty one, the body.
    const text = new TextDecoder("latin1").decode(stdout.subarray(0, 4096));
    const end = text.indexOf("\r\n\r\n");
    const headers = new Headers(
      text.slice(0, end).split("\r\n").map((line) => line.split(": ") as [string, string]),
    );
    const status = Number(headers.get("status")?.slice(0, 3) ?? 200);
    headers.delete("status");
    return new Response(stdout.slice(end + 4), { status, headers });
  };
}
