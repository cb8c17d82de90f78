/** One host a data folder: an OS lock on `<data>/lock`, which a kill -9 releases too. */
import { join } from "node:path";
import { CarrelError } from "./errors.ts";

/**
 * Takes the data folder, made if it is missing, until the result is disposed or the process ends. Throws
 * `locked` when another host has it.
 */
export async function lockDataFolder(data: string): Promise<AsyncDisposable> {
  await Deno.mkdir(data, { recursive: true, mode: 0o700 });
  const file = await Deno.open(join(data, "lock"), { read: true, write: true, create: true });
  let locked = false;
  try {
    locked = await file.tryLock(true);
  } finally {
    if (!locked) file.close();
  }
  if (!locked) {
    throw new CarrelError(
      "locked",
      `Cannot use the data folder "${data}": another Carrel runs on it`,
    );
  }
  return {
    // The file stays: removing it would let a third host lock another file of the same name.
    async [Symbol.asyncDispose]() {
      await file.unlock();
      file.close();
    },
  };
}
