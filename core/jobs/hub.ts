/** Live job events, by job: a watcher costs nothing while other jobs make progress. */
import type { EventBus } from "../events.ts";
import type { JobEvent } from "./job.ts";

export interface Hub {
  /** To the watchers of the job, and to the host's bus. Call it after the commit. */
  publish(event: JobEvent): void;
  /** Listens until the returned function is called; `onClose` is called when no more can come. */
  subscribe(job: string, onEvent: (event: JobEvent) => void, onClose: () => void): () => void;
  close(): void;
}

interface Watcher {
  readonly onEvent: (event: JobEvent) => void;
  readonly onClose: () => void;
}

export function createHub(bus: EventBus): Hub {
  const watchers = new Map<string, Set<Watcher>>();
  let closed = false;
  return {
    publish(event) {
      for (const watcher of [...(watchers.get(event.job_id) ?? [])]) watcher.onEvent(event);
      bus.emit("job.event", event);
    },
    subscribe(job, onEvent, onClose) {
      const watcher = { onEvent, onClose };
      if (closed) {
        onClose();
        return () => {};
      }
      const ofJob = watchers.get(job) ?? new Set();
      watchers.set(job, ofJob.add(watcher));
      return () => {
        ofJob.delete(watcher);
        if (ofJob.size === 0 && watchers.get(job) === ofJob) watchers.delete(job);
      };
    },
    close() {
      closed = true;
      for (const ofJob of watchers.values()) for (const { onClose } of ofJob) onClose();
      watchers.clear();
    },
  };
}
