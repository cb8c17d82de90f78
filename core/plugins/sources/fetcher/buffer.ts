/** The git library takes Node's Buffer from the global scope, and parts of it by `require`. Imported first. */
import { Buffer } from "node:buffer";

Object.assign(globalThis, {
  Buffer,
  require(name: string) {
    if (name === "node:buffer") return { Buffer };
    throw new Error(`Cannot load "${name}": the guest has no such module`);
  },
});
