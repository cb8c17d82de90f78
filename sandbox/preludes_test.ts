import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { addPreludes, ENDED_ITSELF } from "./preludes.ts";

/** A global scope to try it on. */
function fakeScope() {
  const killed: unknown[] = [];
  const said: string[] = [];
  let made = 0;
  // deno-lint-ignore no-explicit-any
  const scope: any = {
    console: { error: (line: string) => void said.push(line) },
    Object: { prototype: {} },
    Deno: {
      pid: 7,
      env: { get: (name: string) => name === "TOKEN" ? "secret" : undefined },
      kill: (...args: unknown[]) => killed.push(args),
    },
  };
  Object.defineProperty(scope, "process", {
    configurable: true,
    get: () => {
      made++;
      return { env: "throws" };
    },
  });
  return { scope, killed, said, made: () => made };
}

Deno.test("addPreludes() gives process an env with the granted variables when it is touched", () => {
  const { scope, made } = fakeScope();
  addPreludes({ env: ["TOKEN", "MISSING"], node: false }, scope);
  strictEqual(made(), 0);
  deepStrictEqual(scope.process.env, { TOKEN: "secret" });
  strictEqual(scope.process, scope.process);
  strictEqual(made(), 1);
  scope.process = "mine";
  strictEqual(scope.process, "mine");
});

Deno.test("addPreludes() mends process at once when the plugin imports Node's modules", () => {
  const { scope, made } = fakeScope();
  addPreludes({ env: [], node: true }, scope);
  strictEqual(made(), 1);
  deepStrictEqual(scope.process.env, {});
});

Deno.test("addPreludes() makes __proto__ work as the language says", () => {
  const { scope } = fakeScope();
  addPreludes({ env: [], node: false }, scope);
  const { get, set } = Object.getOwnPropertyDescriptor(scope.Object.prototype, "__proto__")!;
  const parent = { a: 1 };
  const child = {};
  set!.call(child, parent);
  strictEqual(get!.call(child), parent);
  set!.call(child, 5);
  strictEqual(get!.call(child), parent);
  set!.call(5, parent);
  strictEqual(get!.call(5), Number.prototype);
});

Deno.test("addPreludes() makes close and exit end the process", () => {
  const { scope, killed, said } = fakeScope();
  addPreludes({ env: [], node: false }, scope);
  scope.close();
  scope.Deno.exit(3);
  deepStrictEqual(killed, [[7, "SIGKILL"], [7, "SIGKILL"]]);
  deepStrictEqual(said, [ENDED_ITSELF, ENDED_ITSELF]);
});
