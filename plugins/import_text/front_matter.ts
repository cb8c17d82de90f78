import { parseDocument } from "yaml";

export interface FrontMatter {
  readonly front: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly warning?: string | undefined;
}

/** Parts a text from the YAML between `---` lines at its top. What cannot be read stays out of the text. */
export function splitFrontMatter(text: string): FrontMatter {
  const found = /^---[ \t]*\n([^]*?)\n?^(?:---|\.\.\.)[ \t]*(?:\n|$)/m.exec(text);
  if (found === null || found.index !== 0) return { front: {}, body: text };
  const source = found[1]!;
  const body = text.slice(found[0].length);
  // A rule at the very top and another one further down are no front matter.
  if (source.trim() !== "" && !/^\s*[\w"'-]+\s*:|^\s*#|^\s*\{/m.test(source)) {
    return { front: {}, body: text };
  }
  try {
    const document = parseDocument(source, { schema: "core", logLevel: "silent" });
    if (document.errors.length > 0) throw document.errors[0];
    // At most so many aliases: they can unfold without end.
    const front: unknown = document.toJS({ maxAliasCount: 20 });
    if (front === null || front === undefined) return { front: {}, body };
    if (typeof front === "object" && !Array.isArray(front)) {
      return { front: front as Record<string, unknown>, body };
    }
    return { front: {}, body, warning: "The front matter was left out: it is no list of fields." };
  } catch (error) {
    const why = error instanceof Error
      ? error.message.split("\n")[0]!.replace(/[.:]$/, "")
      : "unknown";
    return {
      front: {},
      body,
      warning: `The front matter was left out because it is not valid YAML: ${why}.`,
    };
  }
}
