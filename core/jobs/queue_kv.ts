/**
 * The queue port on Deno KV. A wake-up reaches this process at once, by a local signal; the message in KV is
 * for other processes and for later times. Handlers of KV run without a bound on their number and may run
 * twice: a message is only ever a wake-up.
 */
import { type Clock, systemClock } from "./clock.ts";
import type { Queue } from "./queue.ts";

/** Wake-ups for a later time are rounded up to this, so that a thousand retries are a few messages. */
const LATER_STEP_MS = 250;
/** KV takes no longer delay. */
const MAX_DELAY_MS = 30 * 24 * 60 * 60 * 1000;
/** A message that was not delivered after this time does not stand for others any more. */
const UNDELIVERED_MS = 1_000;

type Message = { readonly carrel: "wake"; readonly at: number | null };

/** @param path the database's file, or `:memory:` */
export async function openQueueKv(path: string, clock: Clock = systemClock): Promise<Queue> {
  const kv = await Deno.openKv(path);
  const listeners = new Set<() => void>();
  const sent = new Set<Promise<unknown>>();
  const later = new Set<number>();
  let undeliveredSince = -Infinity;
  let listening = false;
  let closed = false;

  const signal = () => {
    for (const onWake of listeners) onWake();
  };

  async function send(message: Message, delay: number): Promise<void> {
    const sending = kv.enqueue(message, { delay });
    sent.add(sending);
    try {
      await sending;
    } finally {
      sent.delete(sending);
    }
  }

  async function listenToKv(): Promise<void> {
    // Once a process: two listeners on one database lose each other's messages.
    listening = true;
    await kv.listenQueue((message: Message) => {
      if (closed || message?.carrel !== "wake") return;
      if (message.at === null) undeliveredSince = -Infinity;
      else later.delete(message.at);
      signal();
    });
  }

  let listened: Promise<void> | undefined;
  return {
    async wake(atMs) {
      if (closed) return;
      const now = clock.now();
      if (atMs !== undefined && atMs > now) {
        const at = Math.ceil(atMs / LATER_STEP_MS) * LATER_STEP_MS;
        for (const over of later) if (over < now) later.delete(over);
        if (later.has(at)) return;
        later.add(at);
        return await send({ carrel: "wake", at }, Math.min(at - now, MAX_DELAY_MS));
      }
      signal();
      // The message under way will be delivered after this call, and so stands for it too.
      if (now - undeliveredSince < UNDELIVERED_MS) return;
      undeliveredSince = now;
      await send({ carrel: "wake", at: null }, 0);
    },
    listen(onWake, abort) {
      if (abort.aborted || closed) return;
      listeners.add(onWake);
      abort.addEventListener("abort", () => listeners.delete(onWake), { once: true });
      if (!listening) listened = listenToKv();
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      listeners.clear();
      await Promise.allSettled(sent);
      kv.close();
      await listened?.catch(() => {});
    },
  };
}
