/** The cgroups of the processes that are watched: made when a process has lived for a moment, removed when it is gone. */
import { type Cgroup, type CgroupHome, makeCgroup } from "./cgroup.ts";

export interface Groups {
  /** @param bytes At which the system kills. */
  watch(pid: number, home: CgroupHome, bytes: number): void;
  /** Call it at each look at the process; `tree` are the processes below it. */
  look(pid: number, tree: readonly number[]): void;
  /** No longer watched. Says what was used at most, bytes, when the system killed for memory. */
  forget(pid: number): number | undefined;
  /** Tries again to remove groups that were still in use. */
  tidy(): void;
  /** Groups that wait to be removed. */
  readonly leaving: number;
}

interface Entry {
  readonly home: CgroupHome;
  readonly bytes: number;
  looks: number;
  group: Cgroup | undefined;
}

/** At which look a process joins: by then bwrap has started what it starts, and short jobs are over. */
const JOIN_AT = 3;
/** A group that cannot be removed for so many looks is left to the next host. */
const TRIES = 200;

export function createGroups(): Groups {
  const entries = new Map<number, Entry>();
  const leaving = new Map<Cgroup, number>();

  function join(pid: number, entry: Entry, tree: readonly number[]): void {
    try {
      const group = entry.group = makeCgroup(entry.home, entry.bytes);
      for (const each of [pid, ...tree]) group.join(each).catch(() => {}); // gone already
    } catch {
      entries.delete(pid); // a backstop less
    }
  }

  return {
    watch: (pid, home, bytes) => void entries.set(pid, { home, bytes, looks: 0, group: undefined }),
    look(pid, tree) {
      const entry = entries.get(pid);
      if (entry !== undefined && ++entry.looks === JOIN_AT) join(pid, entry, tree);
    },
    forget(pid) {
      const group = entries.get(pid)?.group;
      entries.delete(pid);
      if (group === undefined) return undefined;
      const peak = group.killed() ? group.peak() : undefined;
      if (!group.remove()) leaving.set(group, 0);
      return peak;
    },
    tidy() {
      for (const [group, tries] of leaving) {
        if (group.remove() || tries >= TRIES) leaving.delete(group);
        else leaving.set(group, tries + 1);
      }
    },
    get leaving() {
      return leaving.size;
    },
  };
}
