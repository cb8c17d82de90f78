/** What the families of commands share: how a handler becomes an action, how option values are parsed. */
import { type Command, InvalidArgumentError } from "commander";
import type { Outcome, Session } from "./session.ts";

/** What a family of commands is built with. */
export interface Builder {
  readonly program: Command;
  /** Makes an action of a handler: it gets a session, the options and the arguments. */
  action<O, A extends unknown[]>(
    handler: (session: Session, options: O, ...args: A) => Promise<Outcome>,
  ): (...args: unknown[]) => Promise<void>;
}

/** Parses a whole number of a range, for an option. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}

/** Gathers an option that may be given several times, its values also parted by commas. */
export function gather(text: string, before: string[] | undefined): string[] {
  return [...before ?? [], ...text.split(",").map((part) => part.trim()).filter(Boolean)];
}

/** Gathers `name=value` options into an object; a value that is JSON is taken as such, else as a text. */
export function gatherPairs(
  text: string,
  before: Record<string, unknown> | undefined,
): Record<string, unknown> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must have the form name=value.");
  const value = text.slice(at + 1);
  let parsed: unknown = value;
  try {
    parsed = JSON.parse(value);
  } catch {
    // A plain text.
  }
  return { ...before, [text.slice(0, at)]: parsed };
}
