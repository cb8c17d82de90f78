/**
 * A hostile program: what it tries, what it is granted, and what must come of it.
 *
 * The attack is a function whose text becomes the plugin's `extract`; it sees its arguments and
 * globals only. What it returns, it claims to have got.
 */
import type { PluginContext } from "../../sdk/types.ts";
import type { EndReason, Grants, Limits } from "../../sandbox/types.ts";

/** What there is to be reached: every attack is told where. */
export interface World {
  /** A file outside of all grants; its text is `secret`. */
  readonly canary: string;
  /** A folder outside of all grants. */
  readonly folder: string;
  /** A folder that may be granted. */
  readonly open: string;
  /** Port of an HTTP server on 127.0.0.1; `/to?url=` redirects. */
  readonly port: number;
  /** Port of another one. */
  readonly otherPort: number;
  /** Port of one on ::1, 0 where there is no IPv6. */
  readonly port6: number;
  /** The process that runs the sandbox. */
  readonly host: number;
  /** A listening unix socket in `open`. */
  readonly socket: string;
}

export interface Program {
  readonly name: string;
  /** Static imports, put before the plugin. */
  readonly imports?: string | ((world: World) => string);
  readonly attack: (world: World, ctx: PluginContext) => unknown;
  readonly grants?: (world: World) => Partial<Grants>;
  readonly limits?: Partial<Limits>;
  readonly expect: Expectation;
  /** What stops it first, where that is not plain from `expect`. */
  readonly barrier?: string;
  /** Left out where there is no IPv6. */
  readonly ipv6?: true;
}

type BadEnd = Exclude<EndReason, "closed">;

export type Expectation =
  /** The call answers with this: harmless, or confined to the runner. */
  | { readonly returns: unknown }
  /** The call throws this; the runner lives on. */
  | { readonly throws: string; readonly message?: RegExp }
  /** The call throws this, or one of these where two barriers race, and the runner is gone with it. */
  | { readonly ends: BadEnd | readonly BadEnd[]; readonly message?: RegExp }
  /** The plugin does not even load. */
  | { readonly loads: false; readonly message?: RegExp };

/** A refusal by Deno's permissions, told by the plugin. */
export const REFUSED = {
  throws: "plugin_error",
  message: /NotCapable|Requires .* access|not allowed|cannot be (loaded|imported)|denied/i,
} as const satisfies Expectation;

/** The module of a program, with `ping` beside the attack. */
export function moduleOf({ imports, attack }: Program, world: World): string {
  const head = typeof imports === "function" ? imports(world) : imports ?? "";
  return `${head}
const attack = ${attack.toString()};
export default { kind: "import", methods: { extract: attack, ping: () => "pong" } };
`;
}
