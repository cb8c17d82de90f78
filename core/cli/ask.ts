/** Asks a person for one of a few words. */
import { interruptedError } from "./errors.ts";
import type { Io } from "./io.ts";
import { clean } from "./width.ts";

type Asking = Pick<Io, "ask" | "err">;

/**
 * Whether the person says yes; no is what an empty line means. Anything else is asked again. Undefined at the
 * end of input. Throws `interrupted` (exit 130) as soon as the signal is aborted, answer or not.
 */
export function askYesNo(
  io: Asking,
  question: string,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const words = { y: true, yes: true, n: false, no: false, "": false };
  return askOneOf(io, `${question} [y/N] `, words, "y or n", signal);
}

/** The same with words of one's own: what each means, and how they are named when none of them was said. */
export async function askOneOf<T>(
  io: Asking,
  question: string,
  words: Readonly<Record<string, T>>,
  named: string,
  signal: AbortSignal,
): Promise<T | undefined> {
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
      const answer = await Promise.race([io.ask(question), interrupted.promise]);
      if (answer === undefined) return undefined;
      const word = answer.trim().toLowerCase();
      if (Object.hasOwn(words, word)) return words[word];
      io.err.write(`Please answer ${named}; “${clean(word)}” is neither.\n`);
    }
  } finally {
    signal.removeEventListener("abort", interrupt);
  }
}
