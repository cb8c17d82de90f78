/** Ends a process with all that it has started. */
import { descendants } from "./watchdog_usage.ts";

/** Looks for new children; each look finds only those of processes that are not stopped yet. */
const MAX_LOOKS = 20;

/**
 * Kills a process and everything below it, those in process groups of their own too. All are stopped first, so
 * that none starts another one meanwhile. What has left the tree, its parent gone, is not found: see `killMarked`.
 */
export function killTree(pid: number): void {
  const stopped = new Set<number>();
  for (let look = 0, found = [pid]; found.length > 0 && look < MAX_LOOKS; look++) {
    for (const each of found) {
      stopped.add(each);
      signal(each, "SIGSTOP");
    }
    found = descendants(pid).filter((each) => !stopped.has(each));
  }
  for (const each of stopped) signal(each, "SIGKILL");
  killGroup(pid);
}

/**
 * Kills the processes that have this variable in their environment, as what a process starts has unless it takes
 * care. Linux only; elsewhere none is found.
 */
export function killMarked(name: string, value: string): void {
  const variable = `${name}=${value}`;
  for (let look = 0; look < MAX_LOOKS; look++) {
    const found = processes().filter((pid) => environment(pid).includes(variable));
    for (const each of found) signal(each, "SIGKILL");
    if (found.length === 0) return;
  }
}

function processes(): number[] {
  try {
    return [...Deno.readDirSync("/proc")].map((entry) => Number(entry.name)).filter((pid) =>
      pid > 1
    );
  } catch {
    return [];
  }
}

/** Empty for one that is ending. */
function environment(pid: number): string[] {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/environ`).split("\0");
  } catch {
    return [];
  }
}

/** Kills the process group of a process that led one, which may itself be gone. */
function killGroup(pid: number): void {
  if (pid > 1) signal(-pid, "SIGKILL");
}

function signal(pid: number, name: Deno.Signal): void {
  try {
    Deno.kill(pid, name);
  } catch {
    // gone already
  }
}
