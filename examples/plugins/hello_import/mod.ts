import { definePlugin, PluginError } from "@carrel/sdk";

/** Imports a file with a name in it. Works without either permission, and tells what each brought. */
export default definePlugin.import({
  async extract(raw, ctx) {
    const name = new TextDecoder().decode(raw.bytes).trim().split("\n", 1)[0];
    if (!name) throw new PluginError("empty", `Cannot greet "${raw.url}": there is no name in it.`);
    ctx.progress(0.3, "Reading the greetings");
    const greeting = await tried(async () => {
      const path = ctx.config["greetings"];
      if (typeof path !== "string") return undefined;
      const [first] = (await Deno.readTextFile(path)).split("\n");
      return first?.trim() || undefined;
    });
    ctx.progress(0.6, "Fetching a page");
    const heading = await tried(async () => {
      const response = await fetch("https://example.com/", { signal: ctx.signal });
      return /<h1[^>]*>([^<]{1,200})</.exec(await response.text())?.[1];
    });
    const title = `${greeting.value ?? "Hello"}, ${name}`;
    const markdown = [
      `# ${title}`,
      `The file of greetings: ${greeting.value ? "read" : greeting.reason}.`,
      `The page at example.com: ${heading.value ? `it says "${heading.value}"` : heading.reason}.`,
    ].join("\n\n");
    return { type: "document", title, markdown, metadata: { language: "en" } };
  },

  healthCheck: () => ({ status: "healthy", message: "Hello." }),
});

/** What was asked for, or why it is not there. */
async function tried(
  ask: () => Promise<string | undefined>,
): Promise<{ value: string | undefined; reason: string }> {
  try {
    return { value: await ask(), reason: "nothing set" };
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable;
    return { value: undefined, reason: denied ? "not granted" : "not reached" };
  }
}
