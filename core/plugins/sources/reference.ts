/** What an operator types to say where a plugin is, taken apart. */
import { isAbsolute } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CarrelError } from "../../errors.ts";
import { MANIFEST_FILE } from "../manifest.ts";

export type Reference =
  /** A manifest on a web server; its modules lie beside it. */
  | { readonly kind: "manifest"; readonly url: string }
  /** An archive on a web server. */
  | { readonly kind: "archive"; readonly url: string; readonly format: "tar" | "zip" }
  | { readonly kind: "npm"; readonly name: string; readonly wanted: string }
  | { readonly kind: "git"; readonly url: string; readonly ref: string | undefined }
  /** A folder or an archive on this machine. */
  | { readonly kind: "path"; readonly path: string };

const EXPECTED =
  `expected the URL of a ${MANIFEST_FILE}, a .tgz or a .carrel file, npm:name@version, git+https://…#tag, or the absolute path of a folder or a .carrel file`;

const MAX_LENGTH = 4096;
const NPM_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;
/** What is left of git's rules for names of branches and tags when one is careful. */
const GIT_REF = /^(?!.*(?:\.\.|\/\/|@\{|\.lock$|\.$|\/$))[A-Za-z0-9_][A-Za-z0-9_./+@-]{0,199}$/;

/** Throws `CarrelError` `invalid_url`. */
export function parseReference(given: string): Reference {
  const text = given.trim();
  // deno-lint-ignore no-control-regex
  if (text.length > MAX_LENGTH || /[\x00-\x1f]/.test(text)) {
    throw invalid(`${text.slice(0, 100)}…`, "it is too long or not plain text");
  }
  if (text.startsWith("npm:")) return npmReference(text);
  if (text.startsWith("git+")) return gitReference(text);
  if (text.startsWith("file:")) {
    try {
      return { kind: "path", path: fileURLToPath(text) };
    } catch (cause) {
      throw invalid(text, EXPECTED, cause);
    }
  }
  if (/^https?:\/\//i.test(text)) return webReference(text);
  if (isAbsolute(text)) return { kind: "path", path: text };
  throw invalid(text, EXPECTED);
}

function npmReference(text: string): Reference {
  const rest = text.slice("npm:".length);
  const at = rest.indexOf("@", 1);
  const name = at < 0 ? rest : rest.slice(0, at);
  const wanted = at < 0 ? "" : rest.slice(at + 1);
  if (!NPM_NAME.test(name) || name.length > 214) {
    throw invalid(text, "expected npm:name, npm:name@version or npm:@scope/name@version");
  }
  if (wanted.length > 200 || /[/:#]/.test(wanted)) {
    throw invalid(text, "expected a version, a tag or a range behind the @");
  }
  return { kind: "npm", name, wanted };
}

function gitReference(text: string): Reference {
  const url = parseUrl(text.slice("git+".length), text);
  const ref = url.hash === "" ? undefined : url.hash.slice(1);
  if (!/^https?:$/.test(url.protocol) || url.search !== "" || url.pathname === "/") {
    throw invalid(text, "expected git+https://host/repository#tag-or-commit");
  }
  if (ref !== undefined && !GIT_REF.test(ref)) {
    throw invalid(text, `"${ref}" is not the name of a tag, a branch or a commit`);
  }
  url.hash = "";
  url.pathname = url.pathname.replace(/\/+$/, "");
  return { kind: "git", url: url.href, ref };
}

function webReference(text: string): Reference {
  const url = parseUrl(text, text);
  url.hash = "";
  if (/\.ya?ml$/i.test(url.pathname)) return { kind: "manifest", url: url.href };
  const format = archiveFormat(url.pathname);
  if (format === undefined) throw invalid(url.href, EXPECTED);
  return { kind: "archive", url: url.href, format };
}

/** By the name of a file. */
export function archiveFormat(path: string): "tar" | "zip" | undefined {
  if (/\.(tgz|tar\.gz)$/i.test(path)) return "tar";
  return /\.carrel$/i.test(path) ? "zip" : undefined;
}

/**
 * A web address without its version, so that the next version has the same: `?v=` is dropped, and where a
 * whole version (`1.2.0`, `v1.2.0`) is a part of the path, ends the name of a part (`name@1.2.0`) or of the
 * file (`name-1.2.0.tgz`), `{version}` stands in its place. Its place is kept, and the first part of a path
 * is never taken for a version alone: on servers of many owners it says whose the rest is.
 */
export function webOrigin(given: string): string {
  const url = new URL(given);
  url.hash = "";
  if (url.searchParams.has("v")) url.searchParams.delete("v");
  const { origin, search } = url;
  return origin + withoutVersion(url.pathname) + search;
}

export function withoutVersion(path: string): string {
  const parts = path.split("/");
  return parts.map((part, i) => {
    if (new RegExp(`^v?${VERSION}$`).test(part)) {
      return i > 1 && i < parts.length - 1 ? "{version}" : part;
    }
    if (i < parts.length - 1) return part.replace(new RegExp(`(.@)v?${VERSION}$`), "$1{version}");
    return part.replace(
      new RegExp(`(.[-@])v?${VERSION}(?=\\.(?:tgz|tar\\.gz|carrel)$)`, "i"),
      "$1{version}",
    );
  }).join("/");
}

const VERSION = "[0-9]+\\.[0-9]+\\.[0-9]+(?:-[0-9A-Za-z.-]+)?";

/**
 * The origin of what a reference leads to, without fetching it. For a path that is there, that of the real
 * one; whether it is a folder is told from its name.
 */
export async function originOf(reference: string): Promise<string> {
  const parsed = parseReference(reference);
  switch (parsed.kind) {
    case "manifest":
    case "archive":
      return webOrigin(parsed.url);
    case "npm":
      return `npm:${parsed.name}`;
    case "git":
      return gitOrigin(parsed.url);
    case "path":
      return pathOrigin(await Deno.realPath(parsed.path).catch(() => parsed.path));
  }
}

/** A folder's own address, or that of an archive without its version. Takes a real path. */
export function pathOrigin(path: string): string {
  const { href, pathname } = pathToFileURL(path);
  return archiveFormat(path) === undefined ? href : `file://${withoutVersion(pathname)}`;
}

/** The same repository, however its address is written. */
export function gitOrigin(url: string): string {
  return `git+${url.replace(/\.git$/, "")}`;
}

function parseUrl(text: string, shown: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw invalid(shown, EXPECTED, cause);
  }
  if (url.username !== "" || url.password !== "") {
    url.username = url.password = "";
    throw invalid(url.href, "it carried a user name or password, which would be stored with it");
  }
  return url;
}

function invalid(reference: string, why: string, cause?: unknown): CarrelError {
  return new CarrelError("invalid_url", `Cannot install "${reference}": ${why}.`, { cause });
}
