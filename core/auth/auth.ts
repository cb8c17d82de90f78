/** Who may do what: users, tokens (stored hashed) and one-minute tickets. */
import type { Actor, Role } from "./actor.ts";

export interface TokenInfo {
  readonly id: string;
  readonly name: string;
  readonly user: string;
  readonly role: Role;
  readonly created: string;
  readonly lastUsed: string | undefined;
  readonly expires: string | undefined;
}

export interface Auth {
  /** Creates the first admin and a token if there is no user yet; the token, shown this once, else undefined. */
  bootstrap(): Promise<string | undefined>;
  /** The actor behind a token, or undefined. */
  authenticate(token: string): Promise<Actor | undefined>;
  /** An extra admin token of this start, for the command line on the same machine; never stored. */
  sessionToken(): string;
  createToken(
    input: { name: string; role: Role; expires?: string | undefined },
  ): Promise<TokenInfo & { token: string }>;
  listTokens(): Promise<readonly TokenInfo[]>;
  /** Throws `not_found`. */
  revokeToken(id: string): Promise<void>;
  /** A ticket that stands for the actor for one minute, once: for SSE and WebSocket. */
  issueTicket(actor: Actor): string;
  redeemTicket(ticket: string): Actor | undefined;
}
