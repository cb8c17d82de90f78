/** Calls a listener. What it throws is its own trouble: it must not end the runner or the pool that tells it. */
export function quietly(listener: () => void): void {
  try {
    listener();
  } catch {
    // Said above.
  }
}
