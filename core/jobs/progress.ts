/** Progress of one attempt, merged: a plugin may report a thousand times a second, readers get two. */
import type { Whereabouts } from "./attempt_store.ts";
import type { Clock } from "./clock.ts";

/** At most one merged event in this time. */
export const PROGRESS_MS = 500;

export interface Progress {
  /** Written when its time has come, together with what came before it. */
  merge(change: Whereabouts): void;
  /** Written at once, together with what was put off. */
  now(change: Whereabouts): void;
  /** Forgets what was put off: the end of the job says more. */
  stop(): void;
}

export function createProgress(clock: Clock, write: (change: Whereabouts) => void): Progress {
  let waiting: Whereabouts | undefined;
  let last = -Infinity;
  let stopped = false;
  let takeBack: (() => void) | undefined;

  function flush(): void {
    takeBack?.();
    takeBack = undefined;
    if (waiting === undefined || stopped) return;
    const change = waiting;
    waiting = undefined;
    last = clock.now();
    write(change);
  }

  return {
    merge(change) {
      waiting = { ...waiting, ...change };
      const left = last + PROGRESS_MS - clock.now();
      if (left <= 0) flush();
      else takeBack ??= clock.after(left, flush);
    },
    now(change) {
      waiting = { ...waiting, ...change };
      flush();
    },
    stop() {
      stopped = true;
      takeBack?.();
    },
  };
}
