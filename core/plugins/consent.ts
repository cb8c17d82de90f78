/** Permissions as a person who decides sees them: in plain words, with their risk and what is dangerous together. */
import { decisionFor, effective } from "./decisions.ts";
import { declaredGrants } from "./grants.ts";
import type { Manifest } from "./manifest.ts";
import { parseNetEntry } from "./net_entry.ts";
import type { Places } from "./places.ts";
import {
  type DeclaredGrants,
  type PermissionName,
  type PermissionRequest,
  PERMISSIONS,
  type Place,
} from "./plugins.ts";
import type { GrantRow } from "./store.ts";

type Words = Pick<PermissionRequest, "text" | "risk">;

export interface ShownOptions {
  readonly builtin: boolean;
  /** See `Use`. */
  readonly trusted?: boolean | undefined;
  /** Where settings lead. @default nowhere */
  readonly places?: Places | undefined;
  /** @default now */
  readonly nowMs?: number | undefined;
  /** Whose own grants count too. */
  readonly job?: string | undefined;
}

/** Every permission that a manifest asks for, with what of it is granted. */
export function permissionRequests(
  manifest: Manifest,
  rows: readonly GrantRow[],
  options: ShownOptions,
): readonly PermissionRequest[] {
  const { builtin, trusted, places = {}, nowMs = Date.now(), job } = options;
  // A grant for one start shows, though only the start itself uses it up.
  const use = { nowMs, places, builtin, trusted, job, start: true };
  const { granted } = effective(manifest, rows, use);
  const declared = declaredGrants(manifest);
  return PERMISSIONS.flatMap((permission) => {
    // Built-in plugins are asked for their URLs anyway.
    if (permission === "match" && builtin) return [];
    return declared[permission].map((value): PermissionRequest => {
      const key = `${permission}:${value}`;
      const decision = decisionFor(rows, key, use);
      return {
        key,
        permission,
        value,
        ...describe(permission, value, places[key]),
        reason: reasonOf(manifest, permission, value),
        granted: granted[permission].includes(value),
        denied: decision?.decision === "denied",
        duration: decision?.duration,
        until: decision?.until,
        place: placeOnly(places[key]),
      };
    });
  });
}

function placeOnly(place: Place | undefined): Place | undefined {
  if (place === undefined) return undefined;
  const { host, port, addresses } = place;
  return { host, port, addresses };
}

function reasonOf(
  manifest: Manifest,
  permission: PermissionName,
  value: string,
): string | undefined {
  if (permission === "match" || permission === "events") return undefined;
  return manifest.permissions[permission].find((entry) => entry.value === value)?.reason;
}

function describe(
  permission: PermissionName,
  value: string,
  place: Places[string] | undefined,
): Words {
  switch (permission) {
    case "net":
      return describeNet(value, place);
    case "read":
      return isOwnData(value)
        ? {
          text: `Read ${ownPart(value) ?? "the files"} in a directory of its own`,
          risk: "medium",
        }
        : { text: `Read ${value} and all below it on this machine`, risk: "high" };
    case "write":
      return isOwnData(value)
        ? {
          text: ownPart(value) === undefined
            ? "Keep files in a directory of its own"
            : `Write ${ownPart(value)} in a directory of its own`,
          risk: "medium",
        }
        : { text: `Change ${value} and all below it on this machine`, risk: "high" };
    case "env":
      return { text: `Read the environment variable ${value}`, risk: "high" };
    case "run":
      return {
        text:
          `Run the program ${value} on this machine, with your rights and outside the sandbox: only for a plugin that config/plugins.yaml marks as trusted`,
        risk: "high",
      };
    case "services":
      return SERVICE_WORDS[value] ?? { text: `Use the service ${value}`, risk: "high" };
    case "calls":
      return {
        text: `Use ${value} of other plugins, with all that those may reach`,
        risk: "medium",
      };
    case "match":
      return {
        text: `Import what is behind ${value}, even where a built-in plugin could`,
        risk: "medium",
      };
    case "events":
      return { text: `Is told of ${describeEvents(value)}`, risk: "medium" };
  }
}

const SERVICE_WORDS: Readonly<Record<string, Words>> = {
  "library.read": { text: "Read everything in your library", risk: "medium" },
  "library.write": { text: "Add to and change your library", risk: "high" },
  search: { text: "Search your library", risk: "medium" },
  cache: { text: "Keep results for later", risk: "low" },
  events: { text: "Hear what happens in Carrel: imports, exports, jobs", risk: "medium" },
  spawn: { text: "Start other jobs", risk: "medium" },
  ask: { text: "Ask you questions while it works", risk: "low" },
};

/** What a hook that is told of such events gets to know. */
const EVENT_WORDS: Readonly<Record<string, string>> = {
  "content.imported": "every imported content: id, title, type and address",
  "content.deleted": "every deleted content: its id",
  "artifact.created": "everything that is generated: id, title and format",
  "artifact.changed": "every change of what was generated: id and state",
  "artifact.deleted": "everything generated that is deleted: its id",
  "job.completed": "every import, export and run that is completed: id, plugin and result",
  "job.failed": "every import, export and run that fails: id, plugin and reason",
  "job.cancelled": "every import, export and run that is cancelled: id and plugin",
  "run.waits": "every question that a workflow asks: its words and its run",
  notify: "every message that a workflow sends: all that is in it",
};

function describeEvents(value: string): string {
  if (value === "*") return "everything that happens in your library: ids, titles and addresses";
  const known = EVENT_WORDS[value];
  if (known !== undefined) return known;
  const stem = value.endsWith(".*") ? value.slice(0, -1) : undefined;
  const all = Object.entries(EVENT_WORDS)
    .flatMap(([name, words]) => stem !== undefined && name.startsWith(stem) ? [words] : []);
  return all.length > 0 ? all.join("; ") : `the event ${value}: all that is in it`;
}

function describeNet(value: string, place: Places[string] | undefined): Words {
  const entry = parseNetEntry(value);
  if (typeof entry === "string") return { text: `Reach ${value} (not understood)`, risk: "high" };
  switch (entry.kind) {
    case "site":
      return { text: "Send requests to the site of the address that you import", risk: "low" };
    case "host":
      return { text: `Send requests to ${entry.host} (port ${entry.port})`, risk: "low" };
    case "config":
      return describeSetting(entry.field, place);
    case "wildcard":
      return {
        text: `Send requests to ${entry.domain} and every host below it (port ${entry.port})`,
        risk: "medium",
      };
    case "public":
      return { text: "Send requests to any public host on the internet", risk: "high" };
  }
}

function describeSetting(field: string, place: Places[string] | undefined): Words {
  const setting = `its setting "${field}"`;
  if (place === undefined) {
    return { text: `Send requests to the host in ${setting}, once that is set`, risk: "low" };
  }
  const { host, port, addresses, closed } = place;
  const where = `${host} (port ${port}), which ${setting} names`;
  if (closed !== undefined) {
    return { text: `Send requests to ${where}: refused, for ${closed}`, risk: "high" };
  }
  if (addresses.length === 0) return { text: `Send requests to ${where}`, risk: "low" };
  return {
    text: `Send requests to ${where}: a private address (${
      addresses.join(", ")
    }), on this machine or in your own network`,
    risk: "high",
  };
}

function isOwnData(value: string): boolean {
  return value === "${data}" || value.startsWith("${data}/");
}

/** What of its own directory a plugin asks for, if not all of it: a file, or a folder and all in it. */
function ownPart(value: string): string | undefined {
  const part = value.replace(/^\$\{data\}\/?/, "").replace(/\/$/, "");
  return part === "" ? undefined : `"${part}"`;
}

/** What is dangerous together, in plain words. */
export function dangerousCombinations(grants: DeclaredGrants): readonly string[] {
  const reads = [
    ...(grants.services.some((name) => name === "library.read" || name === "search")
      ? ["your library"]
      : []),
    ...(grants.events.length > 0 ? ["what happens in your library"] : []),
    ...grants.read.filter((path) => !isOwnData(path)),
    ...grants.env.map((name) => `the environment variable ${name}`),
  ];
  const sends = grants.net.map(placeWords);
  const warnings: string[] = [];
  if (reads.length > 0 && sends.length > 0) {
    warnings.push(`It can read ${list(reads)} and can send it to ${list(sends)}.`);
  }
  const sharesVia = grants.calls;
  if (reads.length > 0 && sharesVia.length > 0) {
    warnings.push(
      `It can read ${list(reads)} and can hand it to other plugins through ${list(sharesVia)}.`,
    );
  }
  const writes = grants.write.filter((path) => !isOwnData(path));
  if (writes.length > 0 && sends.length > 0) {
    warnings.push(`It can fetch from ${list(sends)} and write what it fetched to ${list(writes)}.`);
  }
  for (const program of grants.run) {
    warnings.push(
      `What ${program} does when it runs, nothing here holds back: it can read, change and send all that you can.`,
    );
  }
  return warnings;
}

function placeWords(value: string): string {
  const entry = parseNetEntry(value);
  if (typeof entry === "string") return value;
  switch (entry.kind) {
    case "site":
      return "the site that you import from";
    case "public":
      return "any public host";
    case "config":
      return `the host in its setting "${entry.field}"`;
    case "wildcard":
      return `*.${entry.domain}`;
    case "host":
      return entry.host;
  }
}

function list(words: readonly string[]): string {
  const shown = words.slice(0, 5);
  const more = words.length > shown.length ? [`${words.length - shown.length} more`] : [];
  const all = [...shown, ...more];
  return all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
}
