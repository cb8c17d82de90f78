/** Tickets: they stand for an actor where no header can be sent, for one minute and once. */
import type { Actor } from "./actor.ts";
import { hashToken, randomSecret } from "./tokens.ts";

export interface TicketOptions {
  /** The clock, milliseconds since 1970. @default Date.now */
  readonly now?: (() => number) | undefined;
  /** How long a ticket is good, milliseconds. @default 60000 */
  readonly lifetimeMs?: number | undefined;
  /** Tickets kept at once; the oldest goes when another is issued. @default 10000 */
  readonly capacity?: number | undefined;
}

export interface Tickets {
  issue(actor: Actor): string;
  /** The actor, the first time and in time; else undefined. */
  redeem(ticket: string): Actor | undefined;
}

/** Tickets in memory: a restart ends them all. */
export function createTickets(options: TicketOptions = {}): Tickets {
  const now = options.now ?? Date.now;
  const lifetimeMs = options.lifetimeMs ?? 60_000;
  const capacity = options.capacity ?? 10_000;
  // A Map keeps the order of insertion, which is the order in which tickets end.
  const open = new Map<string, { readonly actor: Actor; readonly until: number }>();

  function dropEnded(): void {
    for (const [key, ticket] of open) {
      if (ticket.until > now() && open.size < capacity) return;
      open.delete(key);
    }
  }

  return {
    issue(actor) {
      dropEnded();
      const ticket = randomSecret();
      open.set(hashToken(ticket), { actor, until: now() + lifetimeMs });
      return ticket;
    },
    redeem(ticket) {
      const key = hashToken(ticket);
      const found = open.get(key);
      open.delete(key);
      return found !== undefined && found.until > now() ? found.actor : undefined;
    },
  };
}
