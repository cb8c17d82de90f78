/**
 * One numbered story that many follow. However many followers there are, what is new is read once, and kept in
 * memory for them, bounded: one that is slower than that, or begins further back, is caught up from disk.
 * Nobody misses anything or gets it twice: a follower is no more than the number that it has come to.
 */

export interface Numbered {
  /** Ascends. What is committed later has the larger number. */
  readonly seq: number;
}

export interface FanOutOptions<T extends Numbered, F> {
  /** The number of the newest; asked for once, when the first follower comes. */
  newest(): Promise<number>;
  /** What comes after a number, oldest first, none above `upToSeq`, at most `limit`. */
  read(
    afterSeq: number,
    upToSeq: number,
    limit: number,
    filter: F | undefined,
  ): Promise<readonly T[]>;
  /** @default all match */
  readonly matches?: ((item: T, filter: F) => boolean) | undefined;
  /** Whether nothing more is to be waited for; `last` is the newest item, if it is in memory. @default never */
  readonly isOver?: ((last: T | undefined) => boolean) | undefined;
  /** The last follower has left. */
  readonly onEmpty?: (() => void) | undefined;
  /** Items kept in memory, at most twice as many for a moment. @default 1000 */
  readonly keep?: number | undefined;
  /** What an item takes in memory, bytes or the like. @default 0 */
  readonly sizeOf?: ((item: T) => number) | undefined;
  /** Of what is kept in memory, at most twice as much for a moment. @default 16 Mi */
  readonly keepSize?: number | undefined;
}

export interface FollowOptions<F> {
  /** @default the newest */
  readonly afterSeq?: number | undefined;
  readonly filter?: F | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface FanOut<T extends Numbered, F> {
  /** All after a number, then live ones, until it is over, the signal is aborted or all is closed. */
  follow(options: FollowOptions<F>): AsyncGenerator<T, void, void>;
  /** Hands in a new item that is on disk. What lies between it and the one before is read. */
  offer(item: T): void;
  /** There is something new on disk. */
  wake(): void;
  /** Followers end when they have got what is in memory. */
  close(): void;
  /** Resolves when nothing is being read. */
  idle(): Promise<void>;
}

/** What is known while somebody follows. */
interface State<T> {
  /** All after `from`, up to `head`, in order. */
  readonly items: T[];
  /** Of all of them together. */
  size: number;
  from: number;
  head: number;
  failure: { readonly error: unknown } | undefined;
}

/** Items of one read. */
const PAGE = 500;

export function createFanOut<T extends Numbered, F = never>(
  options: FanOutOptions<T, F>,
): FanOut<T, F> {
  const keep = options.keep ?? 1_000;
  const keepSize = options.keepSize ?? 16 * 1024 * 1024;
  const sizeOf = options.sizeOf ?? (() => 0);
  const followers = new Set<() => void>();
  const sharedReads = new Map<string, Promise<readonly T[]>>();
  let opening: Promise<State<T>> | undefined;
  let state: State<T> | undefined;
  let early: T[] = [];
  let reading: Promise<void> | undefined;
  let again = false;
  let closed = false;
  let generation = 0;

  function open(): Promise<State<T>> {
    opening ??= begin();
    return opening;
  }

  async function begin(): Promise<State<T>> {
    const mine = generation;
    try {
      const head = await options.newest();
      const begun: State<T> = { items: [], size: 0, from: head, head, failure: undefined };
      if (mine !== generation) return begun;
      state = begun;
      for (const item of early.splice(0)) offer(item);
      if (again) wake();
      return begun;
    } catch (error) {
      if (mine === generation) forget();
      throw error;
    }
  }

  /** Whoever comes next begins anew. */
  function forget(): void {
    generation++;
    opening = undefined;
    state = undefined;
    early = [];
    again = false;
  }

  function offer(item: T): void {
    if (opening === undefined) return;
    if (state === undefined) early.push(item);
    else if (item.seq === state.head + 1) add(state, [item]);
    else if (item.seq > state.head) wake();
  }

  function wake(): void {
    if (opening === undefined) return;
    again = true;
    if (state === undefined || reading !== undefined) return;
    reading = readOn(state).finally(() => {
      reading = undefined;
      if (again) wake();
    });
  }

  async function readOn(current: State<T>): Promise<void> {
    try {
      while (again && state === current) {
        again = false;
        const page = await options.read(current.head, Number.MAX_SAFE_INTEGER, PAGE, undefined);
        add(current, page);
        if (page.length === PAGE) again = true;
      }
    } catch (error) {
      current.failure = { error };
      if (state === current) forget();
      tellAll();
    }
  }

  function add(current: State<T>, page: readonly T[]): void {
    for (const item of page) {
      if (item.seq <= current.head) continue;
      current.items.push(item);
      current.size += sizeOf(item);
      current.head = item.seq;
    }
    if (current.items.length > 2 * keep || current.size > 2 * keepSize) drop(current);
    tellAll();
  }

  /** The oldest go, until no more is left than is to be kept; who is not that far reads them from disk. */
  function drop(current: State<T>): void {
    let count = 0;
    while (current.items.length - count > keep || current.size > keepSize) {
      current.size -= sizeOf(current.items[count++]!);
    }
    const dropped = current.items.splice(0, count);
    current.from = dropped.at(-1)!.seq;
  }

  function tellAll(): void {
    for (const tell of [...followers]) tell();
  }

  /** The same part for the same filter is read once for all who want it now. */
  function readBack(
    current: State<T>,
    afterSeq: number,
    filter: F | undefined,
  ): Promise<readonly T[]> {
    const upTo = current.from;
    const key = JSON.stringify([afterSeq, upTo, filter ?? null]);
    const known = sharedReads.get(key);
    if (known !== undefined) return known;
    const read = options.read(afterSeq, upTo, PAGE, filter).then((page) => {
      const size = page.reduce((sum, item) => sum + sizeOf(item), 0);
      const fits = page.length < PAGE && current.items.length + page.length <= keep &&
        current.size + size <= keepSize;
      if (filter === undefined && fits && current.from === upTo) {
        current.items.unshift(...page);
        current.size += size;
        current.from = afterSeq;
      }
      return page;
    }).finally(() => sharedReads.delete(key));
    sharedReads.set(key, read);
    return read;
  }

  const matches = (item: T, filter: F | undefined) =>
    filter === undefined || options.matches === undefined || options.matches(item, filter);

  return {
    offer,
    wake,
    async *follow({ afterSeq, filter, signal }) {
      let tell = () => {};
      const follower = () => tell();
      followers.add(follower);
      signal?.addEventListener("abort", follower);
      try {
        const current = await open();
        let last = Math.min(afterSeq ?? current.head, current.head);
        for (;;) {
          if (signal?.aborted) return;
          if (last < current.from) {
            const upTo = current.from;
            const page = await readBack(current, last, filter);
            for (const item of page) {
              if (signal?.aborted) return;
              last = item.seq;
              yield item;
            }
            if (page.length < PAGE) last = Math.max(last, upTo);
            continue;
          }
          const item = current.items[firstAfter(current.items, last)];
          if (item !== undefined) {
            last = item.seq;
            if (matches(item, filter)) yield item;
            continue;
          }
          if (current.failure !== undefined) throw current.failure.error;
          if (closed || options.isOver?.(current.items.at(-1))) return;
          await new Promise<void>((resolve) => tell = resolve);
        }
      } finally {
        followers.delete(follower);
        signal?.removeEventListener("abort", follower);
        if (followers.size === 0) {
          forget();
          options.onEmpty?.();
        }
      }
    },
    close() {
      closed = true;
      tellAll();
    },
    async idle() {
      while (reading !== undefined || sharedReads.size > 0) {
        await Promise.allSettled([reading, ...sharedReads.values()]);
      }
    },
  };
}

/** The place of the first item with a larger number. */
function firstAfter(items: readonly Numbered[], seq: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[middle]!.seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
