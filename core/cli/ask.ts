/** Asks a person for a yes or a no. */
import { interruptedError } from "./errors.ts";
import type { Io } from "./io.ts";
import { clean } from "./width.ts";

/**
 * Whether the person says yes; no is what an empty line means. Anything else is asked again. Undefined at the
 * end of input. Throws `interrupted` (exit 130) as soon as the signal is aborted, answer or not.
 */
export async function askYesNo(
  io: Pick<Io, "ask" | "err">,
  question: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const interrupted = Promise.withResolvers<never>();
  const interrupt = () => {
    // What follows must not stand behind the question.
    io.err.write("\n");
    interrupted.reject(interruptedError());
  };
  if (signal.aborted) throw interruptedError();
  signal.addEventListener("abort", interrupt, { once: true });
  try {
    while (true) {
      const answer = await Promise.race([io.ask(`${question} [y/N] `), interrupted.promise]);
      if (answer === undefined) return undefined;
      const word = answer.trim().toLowerCase();
      if (word === "y" || word === "yes") return true;
      if (word === "" || word === "n" || word === "no") return false;
      io.err.write(`Please answer y or n; “${clean(word)}” is neither.\n`);
    }
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
