/** Counts the crashes of each plugin: so many within so long, and it is set aside. */
export interface CrashesOptions {
  /** @default 3 */
  readonly count?: number;
  /** Milliseconds. @default 600000 */
  readonly within?: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface Crashes {
  /** Whether this one was one too many; the count begins anew then. */
  add(plugin: string): boolean;
  forget(plugin: string): void;
}

export function createCrashes({ count = 3, within = 600_000, now }: CrashesOptions): Crashes {
  const times = new Map<string, readonly number[]>();
  return {
    add(plugin) {
      const since = now() - within;
      const recent = [...(times.get(plugin) ?? []).filter((time) => time > since), now()];
      if (recent.length < count) {
        times.set(plugin, recent);
        return false;
      }
      times.delete(plugin);
      return true;
    },
    forget: (plugin) => void times.delete(plugin),
  };
}
