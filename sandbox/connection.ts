/** The host's end of a runner's socket: frames out in few writes, frames in one after another. */
import { createDecoder, type DecoderOptions, type Frame, joinBlocks } from "./protocol.ts";

export interface Connection {
  /** Sends in order, without waiting. What cannot be sent is lost with the runner. */
  send(blocks: readonly Uint8Array[]): void;
  /** Bytes that the runner has not taken yet. */
  readonly queued: number;
  /** There may be room again: reads on if there is. */
  resume(): void;
  close(): void;
}

export interface ConnectionOptions extends DecoderOptions {
  /**
   * Whether there is room for more of what the runner says; asked before each read, and after each `resume` and
   * whenever the runner took something. @default there always is
   */
  readonly room?: (() => boolean) | undefined;
  onFrame(frame: Frame): void;
  /** The stream is over: undefined when the other side closed it, else what was wrong. Called once. */
  onClose(error: unknown): void;
}

export function createConnection(socket: Deno.Conn, options: ConnectionOptions): Connection {
  let queue: Uint8Array[] = [];
  let queued = 0;
  let writing = false;
  let closed = false;
  let waking: (() => void) | undefined;

  async function drain(): Promise<void> {
    try {
      // What is sent in the same tick goes in one write.
      await Promise.resolve();
      while (queue.length > 0 && !closed) {
        const blocks = joinBlocks(queue);
        queue = [];
        for (const block of blocks) {
          for (let at = 0; at < block.length;) {
            at += await socket.write(at === 0 ? block : block.subarray(at));
          }
          queued -= block.length;
          resume();
        }
      }
    } catch {
      // The reader says why.
    }
    writing = false;
  }

  async function read(): Promise<void> {
    const decoder = createDecoder(options);
    const buffer = new Uint8Array(256 * 1024);
    let wrong: unknown;
    try {
      for (;;) {
        while (!closed && options.room?.() === false) {
          await new Promise<void>((resolve) => waking = resolve);
        }
        if (closed) break;
        const count = await socket.read(buffer);
        if (count === null) break;
        decoder.push(buffer.subarray(0, count), options.onFrame);
      }
    } catch (error) {
      wrong = closed ? undefined : error;
    }
    close();
    options.onClose(wrong);
  }

  function resume(): void {
    waking?.();
    waking = undefined;
  }

  function close(): void {
    if (closed) return;
    closed = true;
    resume();
    queue = [];
    queued = 0;
    try {
      socket.close();
    } catch {
      // closed by the other side
    }
  }

  read();
  return {
    send(blocks) {
      if (closed) return;
      for (const block of blocks) {
        queue.push(block);
        queued += block.length;
      }
      if (!writing) {
        writing = true;
        drain();
      }
    },
    get queued() {
      return queued;
    },
    resume,
    close,
  };
}
