/** From decisions to what is granted now: pure. */
import { declaredGrants } from "./grants.ts";
import { CarrelError } from "../errors.ts";
import type { Manifest } from "./manifest.ts";
import { type Places, settingsNamed, stillThere } from "./places.ts";
import {
  type DeclaredGrants,
  type GrantRequest,
  type PermissionName,
  PERMISSIONS,
  type Place,
} from "./plugins.ts";
import type { GrantRow } from "./store.ts";

/** What a runner is started for. */
export interface Use {
  readonly nowMs: number;
  /** Where settings lead. */
  readonly places: Places;
  /** The job; its own grants count, and those for the first job that comes. */
  readonly job?: string | undefined;
  /** Whether a grant for one start counts. @default false */
  readonly start?: boolean | undefined;
  /** Whether everything is granted that leads to no private address. @default false */
  readonly builtin?: boolean | undefined;
  /** Whether the operator trusts the plugin: only then a program is ever granted. @default as `builtin` */
  readonly trusted?: boolean | undefined;
}

export interface Effective {
  readonly granted: DeclaredGrants;
  /** By permission key: the addresses that a setting's host was pinned to. */
  readonly pinned: Readonly<Record<string, Place>>;
  /** Rows that count because of this start or this job. */
  readonly used: readonly GrantRow[];
  /** Keys that were granted for another place than the setting leads to now. */
  readonly moved: readonly string[];
}

/** All permission keys of a manifest. */
export function permissionKeys(manifest: Manifest): readonly string[] {
  const declared = declaredGrants(manifest);
  return PERMISSIONS.flatMap((name) => declared[name].map((value) => `${name}:${value}`));
}

/** The decision about a permission that counts now, if there is one. */
export function decisionFor(
  rows: readonly GrantRow[],
  key: string,
  use: Pick<Use, "nowMs" | "job" | "start">,
): GrantRow | undefined {
  const holding = rows.filter((row) => row.key === key && holds(row, use));
  // A yes for this job goes before a standing no.
  return holding.find(({ job }) => job !== "") ?? holding[0];
}

function holds(
  row: GrantRow,
  { nowMs, job, start }: Pick<Use, "nowMs" | "job" | "start">,
): boolean {
  switch (row.duration) {
    case "always":
      return true;
    case "until":
      return row.until !== undefined && Date.parse(row.until) > nowMs;
    case "once":
      return start === true;
    case "job":
      return job !== undefined && (row.job === job || row.job === "*");
  }
}

export function effective(manifest: Manifest, rows: readonly GrantRow[], use: Use): Effective {
  const declared = declaredGrants(manifest);
  const settings = settingsNamed(manifest);
  const granted: Partial<Record<PermissionName, readonly string[]>> = {};
  const pinned: Record<string, Place> = {};
  const used: GrantRow[] = [];
  const moved: string[] = [];

  function isGranted(key: string): boolean {
    const row = decisionFor(rows, key, use);
    const place = settings.has(key) ? use.places[key] : undefined;
    if (place?.closed !== undefined) return false;
    if (use.builtin && (place === undefined || place.addresses.length === 0 || place.opened)) {
      return true;
    }
    if (row?.decision !== "granted") {
      if (use.builtin && row === undefined) moved.push(key);
      return false;
    }
    if (settings.has(key)) {
      // A setting that is not set leads nowhere.
      if (place === undefined) return true;
      if (!stillThere(row.place, place)) {
        moved.push(key);
        return false;
      }
      if (place.addresses.length > 0) pinned[key] = row.place!;
    }
    if (row.duration === "once" || row.duration === "job") used.push(row);
    return true;
  }

  const { trusted = use.builtin === true } = use;
  for (const name of PERMISSIONS) {
    if (name === "run" && !trusted) granted[name] = [];
    else granted[name] = declared[name].filter((value) => isGranted(`${name}:${value}`));
  }
  return { granted: granted as DeclaredGrants, pinned, used, moved };
}

export interface Decide {
  readonly by: string;
  readonly now: string;
  /** Where settings led when it was shown. */
  readonly places: Readonly<Record<string, Place>>;
  /** What a yes without a duration means. @default "always" */
  readonly duration?: GrantRequest["duration"];
  readonly job?: string | undefined;
}

/**
 * The rows of a decision: a yes for what is named, a no for the other `asked` ones. Throws `bad_request` for a
 * key that was not asked for, a date that is none or over, a job that is missing.
 */
export function decisionRows(
  asked: readonly string[],
  given: readonly (string | GrantRequest)[],
  options: Decide,
): readonly GrantRow[] {
  const requests = given.map((one) => typeof one === "string" ? { key: one } : one);
  const wrong = (key: string, why: string) =>
    new CarrelError("bad_request", `Cannot grant "${key}": ${why}.`);
  const row = (key: string): GrantRow => ({
    key,
    job: "",
    decision: "denied",
    duration: "always",
    until: undefined,
    place: undefined,
    decidedBy: options.by,
    decided: options.now,
  });
  for (const { key } of requests) {
    if (!asked.includes(key)) throw wrong(key, "the plugin does not ask for it");
  }
  return asked.map((key) => {
    const request = requests.find((one) => one.key === key);
    if (request === undefined) return row(key);
    const duration = request.duration ?? options.duration ?? "always";
    const job = duration === "job" ? request.job ?? options.job ?? "*" : "";
    if (duration === "until") {
      const until = Date.parse(request.until ?? "");
      if (!(until > Date.parse(options.now))) throw wrong(key, `"until" must be a time to come`);
      return { ...granted(), until: new Date(until).toISOString() };
    }
    return granted();

    function granted(): GrantRow {
      return { ...row(key), decision: "granted", duration, job, place: options.places[key] };
    }
  });
}

/** Lays decisions over the ones before. A no or a standing yes ends all that was said of its key. */
export function mergeDecisions(
  before: readonly GrantRow[],
  now: readonly GrantRow[],
): readonly GrantRow[] {
  const replaced = (row: GrantRow) =>
    now.some((next) =>
      next.key === row.key &&
      (next.job === row.job || next.decision === "denied" && next.job === "" ||
        next.duration === "always")
    );
  return [...before.filter((row) => !replaced(row)), ...now];
}
