/** Asks a person about the permissions of a plugin, or takes the answers of the command line. */
import { askYesNo } from "./ask.ts";
import type { ConsentJson } from "./wire.ts";
import { CliError, EXIT, usageError } from "./errors.ts";
import { count, type Style } from "./format.ts";
import type { Io } from "./io.ts";
import { clean, wrap } from "./width.ts";

/** Permissions that the command line grants, by kind; the values as the manifest spells them. */
export type Allowed = Readonly<Partial<Record<PermissionName, readonly string[]>>>;
type Permission = ConsentJson["permissions"][number];
export type PermissionName = "net" | "read" | "write" | "env" | "services" | "calls";

/** The flag of each kind of permission. */
export const ALLOW_FLAGS: Readonly<Record<PermissionName, string>> = {
  net: "--allow-net",
  read: "--allow-read",
  write: "--allow-write",
  env: "--allow-env",
  services: "--allow-service",
  calls: "--allow-call",
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
  const lines = [
    `${style.bold(clean(consent.name))} ${
      style.dim(`${clean(consent.plugin)} ${clean(consent.version)}`)
    }`,
    ...wrap(clean(consent.description), room).map((line) => `  ${line}`),
    style.dim(`  from ${clean(consent.origin)}`),
    style.dim(`  code ${consent.digest.slice(0, 16)}…`),
    "",
    consent.permissions.length === 0
      ? "It asks for no permission: it gets the bytes of one job, and nothing else."
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
  const beforehand = granted(consent, options.allowed);
  if (options.yes) return beforehand.map((one) => one.key);
  for (const line of consentLines(consent, style, width)) say(line);
  if (!io.terminal.in) {
    for (const permission of consent.permissions) {
      for (const line of permissionLines(permission, style, width)) say(line);
    }
    const flags = consent.permissions.map(flagOf).join(" ");
    throw new CliError(
      "consent_required",
      `Cannot ask about "${consent.plugin}": there is no terminal. Everything is denied, and it is not installed.`,
      {
        exit: EXIT.consent,
        hint: consent.permissions.length === 0
          ? "To install it, add: --yes"
          : `To install it, add --yes, and what you grant of: ${flags}`,
      },
    );
  }
  const grants = new Set(beforehand);
  for (const permission of consent.permissions) {
    for (const line of permissionLines(permission, style, width)) say(line);
    if (grants.has(permission)) {
      say(style.dim("          granted by the command line"));
      continue;
    }
    const allow = await askYesNo(io, "          Allow it?", signal);
    if (allow === undefined) return undefined;
    if (allow) grants.add(permission);
  }
  const all = consent.permissions.length;
  const what = all === 0
    ? ""
    : grants.size === all
    ? ` with ${all === 1 ? "this permission" : `all ${all} permissions`}`
    : ` with ${grants.size} of ${count(all, "permission")}`;
  const question = `Install ${clean(consent.plugin)} ${clean(consent.version)}${what}?`;
  return await askYesNo(io, question, signal) ? [...grants].map((one) => one.key) : undefined;
}
