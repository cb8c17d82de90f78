/**
 * The queue port: moves work to a dispatcher. It carries wake-ups, not truth: which job runs next, and
 * for whom, is decided by the claim on the job rows (`claim.ts`), so that a lost, late or doubled
 * wake-up does no harm.
 */
export interface Queue extends AsyncDisposable {
  /** Wakes dispatchers now, or at a time (milliseconds since 1970). */
  wake(atMs?: number): Promise<void>;
  /** Calls `onWake` for each wake-up, until the signal; one listener a process. */
  listen(onWake: () => void, signal: AbortSignal): void;
}
