import { definePlugin, PluginError } from "@carrel/sdk";

/** Imports `hello:NAME`. Works without either permission, and tells what each of them brought. */
export default definePlugin.import({
  async download(source, ctx) {
    const name = decodeURIComponent(source.url.replace(/^hello:\/*/, "")).trim();
    if (!name) {
      throw new PluginError("invalid_url", `Cannot greet "${source.url}": expected hello:NAME.`);
    }
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
    const text = [
      `# ${greeting.value ?? "Hello"}, ${name}`,
      `The file of greetings: ${greeting.value ? "read" : greeting.reason}.`,
      `The page at example.com: ${heading.value ? `it says "${heading.value}"` : heading.reason}.`,
    ].join("\n\n");
    return {
      bytes: new TextEncoder().encode(text),
      mediaType: "text/markdown; charset=utf-8",
      url: source.url,
    };
  },

  extract(raw) {
    const markdown = new TextDecoder().decode(raw.bytes);
    const title = /^# (.+)/.exec(markdown)?.[1] ?? "Hello";
    return { type: "document", title, markdown, metadata: { language: "en" } };
  },

  healthCheck: () => ({ status: "healthy", message: "Hello." }),
});

/** What was asked for, or why it is not there. */
async function tried(
  ask: () => Promise<string | undefined>,
): Promise<{ value: string | undefined; reason: string }> {
  try {
    return { value: await ask(), reason: "nothing there" };
  } catch (error) {
    const denied = error instanceof Deno.errors.NotCapable;
    return { value: undefined, reason: denied ? "not granted" : "not reached" };
  }
}
