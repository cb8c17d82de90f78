/** What a runner was refused: what a person may be asked for, and what nobody is. */
import type { PermissionUse } from "../../sandbox/audit_use.ts";
import { type EntryContext, observe } from "../audit/observed.ts";
import type { Network } from "../network/private.ts";
import { placeOf } from "../plugins/grants.ts";
import type { DeclaredGrants } from "../plugins/plugins.ts";

/** Something that was refused, and that nobody is asked about. */
export interface Refused {
  readonly permission: string;
  readonly value: string;
  readonly why: "undeclared" | "private_address";
}

export interface Missing {
  /** Keys of permissions that are declared, not granted, and would have covered what was refused. */
  readonly keys: readonly string[];
  readonly refused: readonly Refused[];
}

export interface MissingOptions extends EntryContext {
  readonly declared: DeclaredGrants;
  readonly granted: DeclaredGrants;
  readonly network: Pick<Network, "destination" | "privateGrant">;
}

export async function findMissing(
  uses: readonly PermissionUse[],
  { declared, granted, network, ...context }: MissingOptions,
): Promise<Missing> {
  const keys = new Set<string>();
  const refused: Refused[] = [];
  for (
    const { permission, value, entries } of observe(declared, granted, uses.map(observed), context)
      .refused
  ) {
    if (permission === "net" && await isPrivate(value, network)) {
      refused.push({ permission, value, why: "private_address" });
    } else if (entries.length === 0) {
      refused.push({ permission, value, why: "undeclared" });
    } else {
      for (const entry of entries) keys.add(`${permission}:${entry}`);
    }
  }
  return { keys: [...keys].sort(), refused };
}

const observed = (use: PermissionUse) => ({ ...use, entries: [] });

/** Whether it leads where the operator has opened nothing: that is shown when a setting names it, never offered. */
async function isPrivate(value: string, network: MissingOptions["network"]): Promise<boolean> {
  const place = placeOf(value);
  if (place === undefined) return false;
  const { addresses, closed } = await network.destination(place.host, place.port);
  if (closed !== undefined) return true;
  const opened = network.privateGrant(place.host, place.port)?.addresses ?? [];
  return addresses.some((address) => !opened.includes(address));
}
