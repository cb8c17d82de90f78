/** What Debian's `epubcheck` says of a book. */
export type EpubcheckResult =
  | { readonly ran: false; readonly reason: string }
  | {
    readonly ran: true;
    /** `ERROR(RSC-005): …`, one a message; fatal errors, errors and warnings. Empty: a good book. */
    readonly messages: readonly string[];
  };

/** Debian's program is a jar that starts by itself only where the kernel knows jars: Java gets it by name. */
const JARS = ["/usr/share/java/epubcheck.jar"];

/** Checks a file, given as path or as bytes. Says so when the program is not installed. */
export async function epubcheck(book: string | Uint8Array): Promise<EpubcheckResult> {
  if (typeof book === "string") return await check(book);
  const file = await Deno.makeTempFile({ suffix: ".epub" });
  try {
    await Deno.writeFile(file, book);
    return await check(file);
  } finally {
    await Deno.remove(file);
  }
}

async function check(file: string): Promise<EpubcheckResult> {
  const jar = await firstThatExists(JARS);
  const [program, args] = jar
    ? ["java", ["-XX:TieredStopAtLevel=1", "-jar", jar, file]]
    : ["epubcheck", [file]];
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args, stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { ran: false, reason: `${program} is not installed` };
    }
    throw error;
  }
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const lines = `${decode(output.stderr)}\n${decode(output.stdout)}`.split("\n");
  const messages = lines.filter((line) => /^(?:FATAL|ERROR|WARNING)\b/.test(line))
    .map((line) => line.replaceAll(file, "book.epub"));
  // A program that failed for a reason of its own has not said that the book is good.
  if (!output.success && messages.length === 0) messages.push(lines.join("\n").trim());
  return { ran: true, messages };
}

async function firstThatExists(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const found = await Deno.stat(path).then(() => true, () => false);
    if (found) return path;
  }
  return undefined;
}
