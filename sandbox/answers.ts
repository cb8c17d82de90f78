/**
 * Room in the host's memory for large answers, over all runners of a pool: who has no room is not read any further, and
 * so waits in its own process.
 *
 * An answer takes room from its first bytes until whoever asked is done with it. They get in one after another, in
 * the order in which they came, as long as they fit; one that is larger than all of it gets in when nothing else is
 * there. Nothing can hold its room for ever: an answer that does not arrive in time while others wait ends its
 * runner, and one that has arrived gives its room back after a while at the latest.
 */

export interface AnswersOptions {
  /** Bytes. */
  readonly max: number;
  /** How long an answer may take to arrive while others wait, milliseconds. @default 60000 */
  readonly arriveMs?: number | undefined;
  /** How long one that has arrived counts at most, milliseconds. @default 30000 */
  readonly keepMs?: number | undefined;
  /**
   * Takes back the memory of answers that are done with: what was given back counts until then, for the engine itself
   * takes its time. @default what is given back is free at once
   */
  readonly collect?: (() => void) | undefined;
}

export interface AnswerHost {
  /** Told that there is room: read on. */
  onRoom(): void;
  /** Told that it took too long to arrive, while others waited. */
  onSlow(): void;
}

/** One answer. */
export interface AnswerRoom {
  /** Whether it may be read. */
  readonly open: boolean;
  /** All of it is there; `keep`: it counts until `free`, else no longer. */
  arrived(keep: boolean): void;
  free(): void;
}

export interface Answers {
  /** @param bytes Memory that the answer takes. */
  ask(bytes: number, host: AnswerHost): AnswerRoom;
  /** Bytes of those that got in. */
  readonly held: number;
  /** Answers that wait for room. */
  readonly waiting: number;
}

interface Entry {
  readonly bytes: number;
  readonly host: AnswerHost;
  state: "waiting" | "open" | "gone";
  timer: ReturnType<typeof setTimeout> | undefined;
}

export function createAnswers(options: AnswersOptions): Answers {
  const { max, arriveMs = 60_000, keepMs = 30_000, collect } = options;
  const line: Entry[] = [];
  let held = 0;
  /** Given back, and perhaps still in memory. */
  let left = 0;
  let collecting: ReturnType<typeof setTimeout> | undefined;

  function admit(entry: Entry): void {
    entry.state = "open";
    held += entry.bytes;
    watch(entry);
  }

  const fits = ({ bytes }: Entry) => held + left === 0 || held + left + bytes <= max;

  /** In a turn of its own: whoever has given room back still has the answer in hand. */
  function collectSoon(): void {
    collecting ??= setTimeout(() => {
      collecting = undefined;
      collect?.();
      left = 0;
      letIn();
    }, 0);
  }

  function watch(entry: Entry): void {
    entry.timer = setTimeout(() => line.length > 0 ? entry.host.onSlow() : watch(entry), arriveMs);
    Deno.unrefTimer(entry.timer);
  }

  function letIn(): void {
    while (line.length > 0 && fits(line[0]!)) {
      const entry = line.shift()!;
      admit(entry);
      entry.host.onRoom();
    }
    if (line.length > 0 && left > 0) collectSoon();
  }

  function free(entry: Entry): void {
    clearTimeout(entry.timer);
    if (entry.state === "gone") return;
    if (entry.state === "open") {
      held -= entry.bytes;
      if (collect !== undefined) left += entry.bytes;
    } else line.splice(line.indexOf(entry), 1);
    entry.state = "gone";
    letIn();
  }

  return {
    ask(bytes, host) {
      const entry: Entry = { bytes, host, state: "waiting", timer: undefined };
      if (line.length === 0 && fits(entry)) admit(entry);
      else {
        line.push(entry);
        if (left > 0) collectSoon();
      }
      return {
        get open() {
          return entry.state !== "waiting";
        },
        arrived(keep) {
          if (!keep) return free(entry);
          clearTimeout(entry.timer);
          if (entry.state === "gone") return;
          entry.timer = setTimeout(() => free(entry), keepMs);
          Deno.unrefTimer(entry.timer);
        },
        free: () => free(entry),
      };
    },
    get held() {
      return held;
    },
    get waiting() {
      return line.length;
    },
  };
}
