/** Asks a person about the permissions of a plugin, or takes the answers of the command line. */
import type { PermissionName } from "../plugins/plugins.ts";
import { askOneOf, askYesNo } from "./ask.ts";
import type { ConsentJson } from "./wire.ts";
import { CliError, EXIT, usageError } from "./errors.ts";
import { count, type Style } from "./format.ts";
import type { Io } from "./io.ts";
import { clean, wrap } from "./width.ts";

/** Permissions that the command line grants, by kind; the values as the manifest spells them. */
export type Allowed = Readonly<Partial<Record<PermissionName, readonly string[]>>>;
type Permission = ConsentJson["permissions"][number];

/** The flag of each kind of permission. */
export const ALLOW_FLAGS: Readonly<Record<PermissionName, string>> = {
  net: "--allow-net",
  read: "--allow-read",
  write: "--allow-write",
  env: "--allow-env",
  run: "--allow-run",
  services: "--allow-service",
  calls: "--allow-call",
  match: "--allow-match",
};

/** The flag that grants one permission, ready to be pasted. */
export function flagOf(permission: Permission): string {
  const flag = ALLOW_FLAGS[permission.permission as PermissionName] ??
    `--allow-${clean(permission.permission)}`;
  const value = clean(permission.value);
  return `${flag}=${/^[\w.:/@,*-]+$/.test(value) && !value.includes("*") ? value : quoted(value)}`;
}

function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}

function matches(permission: Permission, value: string): boolean {
  if (permission.value === value || permission.key === value) return true;
  const { place } = permission;
  if (place !== null && value === `${place.host}:${place.port}`) return true;
  // Port 443 need not be said, as in a manifest.
  return permission.permission === "net" &&
    (permission.value === `${value}:443` || `${permission.value}:443` === value);
}

/** The permissions that the flags name. Throws a usage error for a flag that names none of the plugin's. */
export function granted(consent: ConsentJson, allowed: Allowed): Permission[] {
  const found = new Set<Permission>();
  for (const [name, values] of Object.entries(allowed)) {
    for (const value of values ?? []) {
      const permission = consent.permissions.find((one) =>
        one.permission === name && matches(one, value)
      );
      if (permission === undefined) {
        throw usageError(
          `Cannot grant ${
            ALLOW_FLAGS[name as PermissionName]
          }=${value}: the plugin does not ask for it.`,
          consent.permissions.length === 0
            ? "It asks for nothing."
            : `It asks for: ${consent.permissions.map(flagOf).join(" ")}`,
        );
      }
      found.add(permission);
    }
  }
  return consent.permissions.filter((one) => found.has(one));
}

/** The plugin, its warnings and its permissions in plain words. */
export function consentLines(consent: ConsentJson, style: Style, width: number): string[] {
  const room = Math.max(40, Math.min(width, 100)) - 4;
  const { before, kind } = consent;
  const signed = consent.verified
    ? style.green("  verified: signed by a key that you trust")
    : consent.signed_by === null
    ? style.dim("  unverified: not signed")
    : style.yellow(`  unverified: signed by an unknown key, ${clean(consent.signed_by)}`);
  const lines = [
    `${style.bold(clean(consent.name))} ${
      style.dim(
        `${clean(consent.plugin)} ${
          kind === "update" && before !== null ? `${clean(before.version)} → ` : ""
        }${clean(consent.version)}`,
      )
    }`,
    ...wrap(clean(consent.description), room).map((line) => `  ${line}`),
    style.dim(`  from ${clean(consent.origin)}`),
    signed,
    style.dim(`  code ${consent.digest.slice(0, 16)}…`),
    "",
    ...differenceLines(consent, style),
    ...limitLines(consent, style, room),
    consent.permissions.length === 0
      ? "It asks for no permission: it gets the bytes of one job, and nothing else."
      : kind === "setting"
      ? "A setting leads to another place than was granted:"
      : kind === "request"
      ? `It has not been granted ${count(consent.permissions.length, "permission")}${
        consent.job === null ? "" : `, needed by ${clean(consent.job)}`
      }:`
      : `It asks for ${count(consent.permissions.length, "permission")}:`,
  ];
  for (const warning of consent.warnings) {
    const [first = "", ...more] = wrap(clean(warning), room);
    lines.push(
      `  ${style.red("!")} ${style.bold(first)}`,
      ...more.map((line) => `    ${style.bold(line)}`),
    );
  }
  return lines;
}

/** The limits of which it asks for more than others get. */
function limitLines({ kind, limit_requests }: ConsentJson, style: Style, room: number): string[] {
  if (limit_requests.length === 0 || kind === "setting" || kind === "request") return [];
  return [
    "It asks for more than the default:",
    ...limit_requests.flatMap(({ text }) => {
      const [first = "", ...more] = wrap(clean(text), room);
      return [style.yellow(`  ^ ${first}`), ...more.map((line) => style.yellow(`    ${line}`))];
    }),
    "",
  ];
}

/** What an update asks for beside what the version before did. */
function differenceLines(consent: ConsentJson, style: Style): string[] {
  const { difference } = consent;
  if (difference === null) return [];
  const text = (key: string) =>
    clean(consent.permissions.find((one) => one.key === key)?.text ?? key);
  const limits = Object.entries(difference.limits).map(([name, { from, to }]) =>
    (to > from ? style.yellow : style.dim)(`  ~ ${clean(name)}: ${from} → ${to}`)
  );
  const lines = [
    ...difference.added.map((key) => style.yellow(`  + ${text(key)}`)),
    ...difference.removed.map((key) => style.dim(`  - ${text(key)}`)),
    ...limits,
  ];
  return lines.length === 0
    ? ["New code, the same permissions.", ""]
    : ["What is other than before:", ...lines, ""];
}

/** What was said of a permission before, in an update: it stands unless a flag says otherwise. */
function standing(consent: ConsentJson, permission: Permission): "granted" | "denied" | undefined {
  if (consent.kind !== "update") return undefined;
  return permission.granted ? "granted" : permission.denied ? "denied" : undefined;
}

/** One permission: what it lets do, how risky that is, why the author wants it. */
export function permissionLines(permission: Permission, style: Style, width: number): string[] {
  const paint = { low: style.green, medium: style.yellow, high: style.red }[permission.risk];
  const room = Math.max(40, Math.min(width, 100)) - 12;
  const [first = "", ...more] = wrap(clean(permission.text), room);
  const reason = permission.reason === null
    ? ["it gives no reason"]
    : wrap(`it says: ${clean(permission.reason)}`, room);
  return [
    `  ${paint(permission.risk.padEnd(6))}  ${first}`,
    ...more.map((line) => `          ${line}`),
    ...reason.map((line) => style.dim(`          ${line}`)),
  ];
}

function wanted({ kind }: ConsentJson): string {
  switch (kind) {
    case "update":
      return "To update it";
    case "setting":
    case "request":
      return "To grant it";
    default:
      return "To install it";
  }
}

export interface DecideOptions {
  readonly io: Pick<Io, "ask" | "err" | "terminal">;
  readonly style: Style;
  readonly width: number;
  readonly allowed: Allowed;
  /** Install without asking, with just what `allowed` names. */
  readonly yes: boolean;
  /** Ends the questions: `interrupted` is thrown, and nothing is granted. */
  readonly signal: AbortSignal;
}

const ALLOW_WORDS = {
  y: "yes",
  yes: "yes",
  n: "no",
  no: "no",
  "": "no",
  a: "all",
  all: "all",
  d: "none",
  none: "none",
} as const;

/**
 * The keys to grant, or undefined when the person does not want the plugin. Throws `consent_required` (exit 3)
 * where there is nobody to ask: then nothing is granted, and the error names the flags.
 */
export async function decideConsent(
  consent: ConsentJson,
  options: DecideOptions,
): Promise<readonly string[] | undefined> {
  const { io, style, width, signal } = options;
  const say = (line: string) => io.err.write(line + "\n");
  const beforehand = consent.permissions.filter((one) =>
    standing(consent, one) === "granted" || granted(consent, options.allowed).includes(one)
  );
  if (options.yes) {
    for (const line of limitLines(consent, style, Math.max(40, Math.min(width, 100)) - 4)) {
      say(line);
    }
    return beforehand.map((one) => one.key);
  }
  for (const line of consentLines(consent, style, width)) say(line);
  if (!io.terminal.in) {
    for (const permission of consent.permissions) {
      for (const line of permissionLines(permission, style, width)) say(line);
    }
    const flags = consent.permissions.map(flagOf).join(" ");
    throw new CliError(
      "consent_required",
      consent.kind === "install" || consent.kind === "replace"
        ? `Cannot ask about "${consent.plugin}": there is no terminal. Everything is denied, and it is not installed.`
        : consent.kind === "update"
        ? `Cannot ask about "${consent.plugin}": there is no terminal. The version before stays.`
        : `Cannot ask about "${consent.plugin}": there is no terminal. Nothing is granted.`,
      {
        exit: EXIT.consent,
        hint: consent.permissions.length === 0
          ? `${wanted(consent)}, add: --yes`
          : `${wanted(consent)}, add --yes, and what you grant of: ${flags}`,
      },
    );
  }
  const grants = new Set(beforehand);
  /** What was said of all that follow. */
  let rest: boolean | undefined;
  for (const permission of consent.permissions) {
    for (const line of permissionLines(permission, style, width)) say(line);
    const before = standing(consent, permission);
    if (grants.has(permission) || before !== undefined) {
      const why = before === undefined ? "granted by the command line" : `${before}, as before`;
      say(style.dim(`          ${grants.has(permission) ? why : "denied, as before"}`));
      continue;
    }
    if (rest !== undefined) {
      if (rest) grants.add(permission);
      say(style.dim(`          ${rest ? "allowed" : "denied"}, as all that follows`));
      continue;
    }
    const question = "          Allow it? [y/N, a: all that follow, d: none of them] ";
    const word = await askOneOf(io, question, ALLOW_WORDS, "y, n, a or d", signal);
    if (word === undefined) return undefined;
    if (word === "all") rest = true;
    if (word === "none") rest = false;
    if (rest || word === "yes") grants.add(permission);
  }
  if (consent.kind === "setting" || consent.kind === "request") {
    return [...grants].map((one) => one.key);
  }
  const all = consent.permissions.length;
  const what = all === 0
    ? ""
    : grants.size === all
    ? ` with ${all === 1 ? "this permission" : `all ${all} permissions`}`
    : ` with ${grants.size} of ${count(all, "permission")}`;
  const action = consent.kind === "update" ? "Update" : "Install";
  const question = `${action} ${clean(consent.plugin)} ${clean(consent.version)}${what}?`;
  return await askYesNo(io, question, signal) ? [...grants].map((one) => one.key) : undefined;
}
