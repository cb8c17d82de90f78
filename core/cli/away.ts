/** A host that does not answer for a while, seen by those who follow what it does. */
import { CliError, EXIT } from "./errors.ts";
import type { Transport } from "./transport.ts";

/** Connections in a row that bring nothing, before a host is given up: about half a minute, for a restart. */
export const TRIES = 16;

export const AWAY = "The server does not answer. Waiting for it.";
export const BACK = "The server is back.";

export interface AwayOptions {
  /** Told when the host does not answer, and when it does again. */
  readonly onAway?: ((away: boolean) => void) | undefined;
}

/** Whether asking again may help. */
export function mayPass(error: unknown, http: Transport): boolean {
  if (!(error instanceof CliError) || error.exit === EXIT.unreachable) return true;
  const { status } = error;
  return status === 429 || status === 503 ||
    // It listens a moment before the file with its new token is there.
    status === 401 && http.renews;
}

/** Says each change once. */
export function awayTeller({ onAway }: AwayOptions): (away: boolean) => void {
  let told = false;
  return (away) => {
    if (away === told) return;
    told = away;
    onAway?.(away);
  };
}
