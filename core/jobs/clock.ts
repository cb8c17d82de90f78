/** Time, handed in, so that tests turn it by hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls `run` once, `ms` from now; the returned function takes it back. */
  after(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export const DAY_MS = 24 * 60 * 60 * 1000;

/** Repeats until the returned function is called. */
export function every(clock: Clock, ms: number, run: () => void): () => void {
  let stop = clock.after(ms, tick);
  function tick(): void {
    stop = clock.after(ms, tick);
    run();
  }
  return () => stop();
}
