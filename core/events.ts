/**
 * Events within one host: `noun.verb` with a typed payload. A listener that throws hurts nobody: its
 * error is reported and the others go on.
 */
import type { JobEvent } from "./jobs/job.ts";

export interface HostEvents {
  "job.event": JobEvent;
  "content.imported": { content: string; revision: string; job: string };
  "content.deleted": { content: string; hard: boolean };
  "artifact.created": { artifact: string; job: string };
  "consent.waits": { consent: string; plugin: string; job: string | undefined };
  /** `granted`: keys of permissions; empty for a no. */
  "consent.decided": {
    consent: string;
    plugin: string;
    job: string | undefined;
    granted: readonly string[];
  };
  "plugin.changed": { plugin: string };
}

type Listener<T> = (payload: T) => void;

export class EventBus {
  readonly #listeners = new Map<keyof HostEvents, Set<Listener<never>>>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void = (error) => console.error(error)) {
    this.#report = report;
  }

  /** Listens until the returned function is called. */
  on<K extends keyof HostEvents>(name: K, listener: Listener<HostEvents[K]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as Listener<never>);
    return () => listeners.delete(listener as Listener<never>);
  }

  emit<K extends keyof HostEvents>(name: K, payload: HostEvents[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<HostEvents[K]>)(payload);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}
