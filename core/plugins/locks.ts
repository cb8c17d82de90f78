/** One thing after another for each plugin, and plugins beside each other. */
export interface Locks {
  run<T>(id: string, work: () => Promise<T>): Promise<T>;
}

export function createLocks(): Locks {
  const last = new Map<string, Promise<unknown>>();
  return {
    run(id, work) {
      const next = (last.get(id) ?? Promise.resolve()).then(work, work);
      const settled = next.catch(() => {}).finally(() => {
        if (last.get(id) === settled) last.delete(id);
      });
      last.set(id, settled);
      return next;
    },
  };
}
