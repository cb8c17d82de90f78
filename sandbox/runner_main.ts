/**
 * The child process: a byte pump between the host's socket and one worker. It reads no frames. What
 * it does not do cannot be turned against the host; what the guest makes of the socket (it can reach
 * the descriptor) the host must stand anyway.
 *
 * Arguments: socket path · permissions of the worker, JSON · name of the worker, JSON for guest.ts.
 */
const [socket = "", permissions = "", name = ""] = Deno.args;

/** Bytes read from the socket at once. */
const READ = 256 * 1024;
/** Below this a copy into the worker is faster than handing the buffer over. */
const TRANSFER_FROM = 16 * 1024;

/** A worker in a loop survives `Deno.exit`'s good manners; this it does not. */
function die(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  throw new Error("unreachable");
}

const worker = new Worker(new URL("./guest.ts", import.meta.url), {
  type: "module",
  name,
  // deno-lint-ignore no-explicit-any
  deno: { permissions: JSON.parse(permissions) } as any,
});
const connecting = Deno.connect({ transport: "unix", path: socket });

// Before the first await: what the worker says before someone listens is lost.
const queue: Uint8Array[] = [];
let writing = false;
worker.onmessage = (event: MessageEvent<Uint8Array>) => {
  queue.push(event.data);
  if (!writing) {
    writing = true;
    drain().catch(die);
  }
};
worker.onerror = (event) => {
  event.preventDefault(); // or the process ends before the reason is said
  console.error(event.message);
  die();
};

async function drain(): Promise<void> {
  const connection = await connecting;
  for (let block = queue.shift(); block !== undefined; block = queue.shift()) {
    for (let at = 0; at < block.length;) {
      at += await connection.write(at === 0 ? block : block.subarray(at));
    }
  }
  writing = false;
}

try {
  const connection = await connecting;
  const buffer = new Uint8Array(READ);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) break;
    const chunk = buffer.slice(0, count);
    worker.postMessage(chunk, count < TRANSFER_FROM ? [] : [chunk.buffer]);
  }
} finally {
  die(); // the host is gone, or wants us gone
}
