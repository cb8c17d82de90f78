/**
 * The command line of bubblewrap for one runner: a mount, process and user namespace that holds what the runner
 * needs and what it was granted, and nothing else; a network namespace of its own unless something of the
 * network was granted. Deno's flags and the worker's permissions stay in force inside it.
 *
 * Pure but for `exists`, so that a path that is granted and not there yet can be told from one that is.
 */
import { dirname, normalize } from "node:path";
import type { Grants } from "./types.ts";

export interface BwrapPaths {
  /** The `deno` executable, links resolved. */
  readonly deno: string;
  /** The folder with the modules of the child. */
  readonly assets: string;
  readonly bundle: string;
  /** The runner's `DENO_DIR`: the only place that it may always write, for its code cache. */
  readonly denoDir: string;
  /** The folder with the socket to the host. */
  readonly socketFolder: string;
  /** Files that the process itself writes, there already. */
  readonly writes?: readonly string[] | undefined;
}

/** Where shared libraries are, on the systems that have bubblewrap. */
const LIBRARIES = ["/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib32", "/lib64"];

/** What it takes to resolve names and check certificates. */
const NETWORK_FILES = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/host.conf",
  "/etc/nsswitch.conf",
  "/etc/gai.conf",
  "/etc/services",
  "/etc/ssl/certs",
  "/etc/ca-certificates",
  "/etc/pki/tls/certs",
];

/** These are the runner's own inside, whatever is granted. */
const OWN = ["/proc", "/dev", "/sys"];

/** Whether a runner with these grants is on the machine's network. */
export function sharesNetwork({ net, netPublic, private: opened }: Grants): boolean {
  return net.length > 0 || netPublic || opened.length > 0;
}

/** All arguments up to the command itself. */
export function bwrapArgs(
  grants: Grants,
  paths: BwrapPaths,
  exists: (path: string) => boolean,
): string[] {
  const shared = sharesNetwork(grants);
  const args = [
    "--unshare-all",
    ...(shared ? ["--share-net"] : []),
    "--die-with-parent",
    "--new-session",
    "--cap-drop",
    "ALL",
    "--hostname",
    "carrel",
  ];
  const bind = (how: string, path: string) => args.push(how, path, path);
  for (const path of LIBRARIES) bind("--ro-bind-try", path);
  if (shared) { for (const path of NETWORK_FILES) bind("--ro-bind-try", path); }
  args.push("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp");
  for (const { how, path } of grantedBinds(grants, exists)) bind(how, path);
  // Last, so that no granted folder lies over them.
  bind("--ro-bind", paths.deno);
  bind("--ro-bind", paths.assets);
  bind("--ro-bind", paths.bundle);
  bind("--bind", paths.denoDir);
  bind("--ro-bind", paths.socketFolder);
  for (const path of paths.writes ?? []) bind("--bind", path);
  return [...args, "--chdir", "/", "--"];
}

/** All of the machine as it is, but for its processes: none but those started inside can be seen, and none outlives it. */
export const OWN_PROCESSES: readonly string[] = [
  "--unshare-pid",
  "--die-with-parent",
  "--new-session",
  "--dev-bind",
  "/",
  "/",
  "--proc",
  "/proc",
  "--chdir",
  "/",
  "--",
];

/** Outer folders first: an inner one lies over them. */
function grantedBinds(grants: Grants, exists: (path: string) => boolean) {
  const write = grants.write.map((path) => ({ how: "--bind-try", path: existing(path, exists) }));
  const read = grants.read.filter((path) => !grants.write.includes(path))
    .map((path) => ({ how: "--ro-bind-try", path }));
  return [...read, ...write]
    .filter(({ path }) => normalize(path) !== "/" && !OWN.some((own) => isIn(own, normalize(path))))
    .sort((a, b) => depth(a.path) - depth(b.path));
}

/** A file that a plugin may make is not there yet: its folder is shown, Deno's flags hold the rest of it shut. */
function existing(path: string, exists: (path: string) => boolean): string {
  return exists(path) ? path : dirname(path);
}

function isIn(folder: string, path: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

const depth = (path: string): number => path.split("/").length;
