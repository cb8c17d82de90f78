/** What libraries expect to find and Deno's worker does not have, or has otherwise. */

export interface PreludeOptions {
  /** Names of the environment variables that are granted. */
  readonly env: readonly string[];
  /** Whether the plugin imports Node's modules itself, past the global `process`. */
  readonly node: boolean;
}

/** What of the global scope is mended. */
export interface Scope {
  readonly Object: { readonly prototype: object };
  readonly Deno: {
    readonly pid: number;
    readonly env: { get(name: string): string | undefined };
    kill(pid: number, signal: "SIGKILL"): void;
  };
  readonly console: { error(line: string): void };
}

/** The last that a runner says whose plugin ended it. */
export const ENDED_ITSELF =
  "its process was ended by the plugin itself: Deno.exit, process.exit or close";

/**
 * - `process.env`: Deno's throws on each read that is not granted; libraries read it at load time. It
 *   becomes a plain object with the granted variables. Deno makes `process` when it is first touched,
 *   which takes 10 ms: so it is mended then, unless the plugin will come by it another way.
 * - `Object.prototype.__proto__`: Deno's is inert; libraries written for Node set prototypes by it.
 * - `close`, `Deno.exit` (and `process.exit` by it): Deno's end the worker and leave the process
 *   behind, so that calls wait for their time limit. They end the process.
 */
export function addPreludes({ env, node }: PreludeOptions, scope: Scope = globalThis): void {
  const original = Object.getOwnPropertyDescriptor(scope, "process");
  if (original?.get) {
    const get = original.get.bind(scope);
    let mended: unknown;
    const mend = () => mended ??= withOwnEnv(get(), env, scope.Deno.env);
    if (node) mend();
    Object.defineProperty(scope, "process", {
      configurable: true,
      enumerable: false,
      get: mend,
      set: (value) => mended = value,
    });
  }
  Object.defineProperty(scope.Object.prototype, "__proto__", {
    configurable: true,
    enumerable: false,
    get: prototypeOf,
    set: setPrototypeOf,
  });
  const { Deno } = scope;
  const leave = () => {
    scope.console.error(ENDED_ITSELF);
    Deno.kill(Deno.pid, "SIGKILL");
  };
  Object.assign(scope, { close: leave });
  Object.assign(Deno, { exit: leave });
}

function withOwnEnv(
  process: unknown,
  names: readonly string[],
  source: Scope["Deno"]["env"],
): unknown {
  const variables: Record<string, string> = {};
  for (const name of names) {
    const value = source.get(name);
    if (value !== undefined) variables[name] = value;
  }
  return Object.defineProperty(process as object, "env", {
    value: variables,
    writable: true,
    configurable: true,
    enumerable: true,
  });
}

function prototypeOf(this: unknown): unknown {
  return Object.getPrototypeOf(Object(this));
}

/** Does nothing where the language says so: on primitives, and for what is no prototype. */
function setPrototypeOf(this: unknown, prototype: unknown): void {
  if (typeof this !== "object" && typeof this !== "function" || this === null) return;
  if (typeof prototype !== "object" && typeof prototype !== "function") return;
  Object.setPrototypeOf(this, prototype);
}
