import { definePlugin, PluginError } from "@carrel/sdk";

type Attempt = (argument: string) => Promise<string>;

/** What it got, as text. Whatever the sandbox refuses, throws. */
const ATTEMPTS: Readonly<Record<string, Attempt>> = {
  read: async (path) => await Deno.readTextFile(path),

  call: async (url) => {
    const response = await fetch(url);
    return `${response.status} ${await response.text()}`;
  },

  environment: async (name) =>
    name ? Deno.env.get(name) ?? "" : JSON.stringify(Deno.env.toObject()),

  spawn: async (program) => {
    const { stdout } = await new Deno.Command(program || "/bin/ls").output();
    return new TextDecoder().decode(stdout);
  },

  memory: async () => {
    const kept: Uint8Array[] = [];
    // Filled, since pages that were never written take no memory.
    for (;;) kept.push(new Uint8Array(8 * 1024 * 1024).fill(kept.length + 1));
  },

  loop: async () => {
    for (;;);
  },
};

/** Takes a command such as `read /etc/passwd` as an upload, and tells honestly what came of it. */
export default definePlugin.import({
  async extract(raw) {
    const command = new TextDecoder().decode(raw.bytes).trim();
    const [verb = "", ...words] = command.split(/\s+/);
    const attempt = Object.hasOwn(ATTEMPTS, verb) ? ATTEMPTS[verb] : undefined;
    if (!attempt) {
      throw new PluginError(
        "unreadable",
        `Cannot try "${verb}": expected one of ${Object.keys(ATTEMPTS).join(", ")}.`,
      );
    }
    let outcome: { got: boolean; error?: string; text: string };
    try {
      outcome = { got: true, text: await attempt(words.join(" ")) };
    } catch (error) {
      outcome = { got: false, error: nameOf(error), text: messageOf(error) };
    }
    const summary = outcome.got ? "It got:" : `Refused with ${outcome.error}:`;
    return {
      type: "document",
      title: `Rogue: ${command}`,
      markdown: `${summary}\n\n${outcome.text.slice(0, 2000).replace(/^/gm, "    ")}`,
      metadata: { command, got: outcome.got, ...(outcome.error ? { error: outcome.error } : {}) },
    };
  },
});

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** With the cause: `fetch` says only there that the sandbox refused. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
