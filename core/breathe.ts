/** Long work on the main thread in pieces, so that the event loop turns in between. */
import { setImmediate } from "node:timers";

/**
 * A function to await between two pieces of work: it lets the loop turn once the last turn is `ms` ago.
 * @param ms milliseconds
 */
export function createBreather(ms = 8): () => Promise<void> | undefined {
  let last = performance.now();
  return () => {
    if (performance.now() - last < ms) return undefined;
    return new Promise((resolve) =>
      setImmediate(() => {
        last = performance.now();
        resolve();
      })
    );
  };
}
