/** Asks a person about the permissions of a plugin, or takes the answers of the command line. */
import type { PermissionName } from "../plugins/plugins.ts";
import { askOneOf, askYesNo } from "./ask.ts";
import type { ConsentJson } from "./wire.ts";
import { CliError, EXIT, usageError } from "./errors.ts";
import { count, type Style } from "./format.ts";
import type { Io } from "./io.ts";
import { clean, wrap } from "./width.ts";

/** Things that a plugin takes, shown before an install. */
const MAX_TAKES = 12;

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
  events: "--allow-event",
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
  const isAboutVersion = kind !== "setting" && kind !== "request";
  const signed = consent.origin === "builtin"
    ? style.green("  built in: it comes with Carrel")
    : consent.verified
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
    ...(consent.digest === "" ? [] : [style.dim(`  code ${consent.digest.slice(0, 16)}…`)]),
    "",
    ...differenceLines(consent, style),
    ...askLines(
      {
        limit_requests: isAboutVersion ? consent.limit_requests : [],
        // An update says what is new.
        takes: isAboutVersion && consent.difference === null ? consent.takes : [],
      },
      style,
      room,
    ),
    consent.permissions.length === 0
      ? "It asks for no permission: of each job it gets what it is handed, and nothing else."
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

/** What a plugin asks for beside permissions: higher limits, and what it is handed without one. */
export function askLines(
  asked: {
    readonly limit_requests: readonly { readonly text: string }[];
    readonly takes: readonly { readonly text: string }[];
  },
  style: Style,
  room: number,
): string[] {
  return [...limitLines(asked.limit_requests, style, room), ...takeLines(asked.takes, room)];
}

/** The limits of which it asks for more than others get. */
function limitLines(
  limit_requests: readonly { readonly text: string }[],
  style: Style,
  room: number,
): string[] {
  if (limit_requests.length === 0) return [];
  return [
    "It asks for more than the default:",
    ...limit_requests.flatMap(({ text }) => {
      const [first = "", ...more] = wrap(clean(text), room);
      return [style.yellow(`  ^ ${first}`), ...more.map((line) => style.yellow(`    ${line}`))];
    }),
    "",
  ];
}

/** What it is handed without a permission. */
function takeLines(takes: readonly { readonly text: string }[], room: number): string[] {
  if (takes.length === 0) return [];
  const shown = takes.slice(0, MAX_TAKES);
  const more = takes.length - shown.length;
  return [
    "It is for this, and is handed it without being granted anything:",
    ...shown.flatMap(({ text }) => {
      const [first = "", ...rest] = wrap(clean(text), room);
      return [`  · ${first}`, ...rest.map((line) => `    ${line}`)];
    }),
    ...(more === 0 ? [] : [`  · ${count(more, "thing")} more: carrel plugin info`]),
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
    ...difference.takes.added.map(({ text }) => style.yellow(`  + ${clean(text)}`)),
    ...difference.takes.removed.map(({ text }) => style.dim(`  - ${clean(text)}`)),
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

/** A yes beforehand to what it does not name is none. */
function mustSayMore(
  { kind, plugin, permissions, before }: ConsentJson,
  grants: readonly Permission[],
  replace: boolean,
): void {
  if (kind === "replace" && !replace) {
    throw new CliError(
      "consent_required",
      `Cannot install "${plugin}": it is not the plugin of this id that is installed, from ${
        clean(before?.origin ?? "elsewhere")
      }. That one stays.`,
      { exit: EXIT.consent, hint: "To delete that one and install this one, add: --replace" },
    );
  }
  if ((kind === "request" || kind === "setting") && grants.length === 0) {
    throw usageError(
      "Cannot grant nothing: --yes grants just what flags name.",
      `Name what you grant of: ${
        permissions.map(flagOf).join(" ")
      }\nTo refuse it: carrel plugin consent ${plugin} --deny`,
    );
  }
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
  /** Whether it may take the place of another plugin without asking. @default false */
  readonly replace?: boolean | undefined;
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
  for (const line of consentLines(consent, style, width)) say(line);
  if (options.yes) {
    mustSayMore(consent, beforehand, options.replace === true);
    return beforehand.map((one) => one.key);
  }
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
          ? `${wanted(consent)}, add: --yes${consent.kind === "replace" ? " --replace" : ""}`
          : `${wanted(consent)}, add --yes${
            consent.kind === "replace" ? " --replace" : ""
          }, and what you grant of: ${flags}`,
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
  const action = consent.kind === "update"
    ? "Update"
    : consent.kind === "replace"
    ? `Delete ${clean(consent.plugin)} ${clean(consent.before?.version ?? "")} and install`
    : "Install";
  const question = `${action} ${clean(consent.plugin)} ${clean(consent.version)}${what}?`;
  return await askYesNo(io, question, signal) ? [...grants].map((one) => one.key) : undefined;
}
