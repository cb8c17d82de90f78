/** Which plugin takes what: URL patterns, media types, file names. */

export interface UrlPattern {
  readonly text: string;
  test(url: string): boolean;
  /** How much the pattern says: the number of its letters that are no wildcard. */
  readonly specificity: number;
}

/**
 * Reads a pattern. `*` stands for any run of characters; in the host of `scheme://host/path` it does not
 * reach past the host. A pattern without a path takes every path; one without a query takes every query;
 * one that begins with `*`, such as `*.pdf`, is held against the path alone.
 */
export function urlPattern(text: string): UrlPattern {
  const specificity = text.replaceAll("*", "").length;
  const parts = /^([a-z0-9+.*-]+):\/\/([^/]*)(\/.*)?$/i.exec(text);
  if (parts !== null) {
    const [, scheme = "", host = "", path = "/*"] = parts;
    const tests = [glob(scheme, "[^:]*", "i"), glob(host, "[^/]*", "i"), glob(path, ".*")] as const;
    const wholePath = path.includes("?");
    return {
      text,
      specificity,
      test(given) {
        const url = parseUrl(given);
        if (url === undefined) return false;
        const rest = wholePath ? url.pathname + url.search : url.pathname;
        return tests[0].test(url.protocol.slice(0, -1)) &&
          (tests[1].test(url.host) || tests[1].test(url.hostname)) && tests[2].test(rest);
      },
    };
  }
  if (text.startsWith("*")) {
    const expression = glob(text, ".*", "i");
    return { text, specificity, test: (url) => expression.test(parseUrl(url)?.pathname ?? url) };
  }
  const expression = glob(text, ".*", "i");
  return { text, specificity, test: (url) => expression.test(url) };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The best of the patterns that take a URL. */
export function bestPattern(patterns: readonly UrlPattern[], url: string): UrlPattern | undefined {
  let best: UrlPattern | undefined;
  for (const pattern of patterns) {
    if ((best === undefined || pattern.specificity > best.specificity) && pattern.test(url)) {
      best = pattern;
    }
  }
  return best;
}

/** `type/subtype` in lower case, without parameters. */
export function essence(mediaType: string): string {
  return mediaType.split(";", 1)[0]!.trim().toLowerCase();
}

/** How well a list such as `[application/pdf, text/*]` takes a media type: 2 by name, 1 by type, 0.5 by anything. */
export function mediaScore(accepted: readonly string[], mediaType: string): number {
  const given = essence(mediaType);
  const type = given.split("/", 1)[0]!;
  if (accepted.includes(given)) return 2;
  if (accepted.includes(`${type}/*`)) return 1;
  return accepted.includes("*/*") ? 0.5 : 0;
}

function glob(pattern: string, any: string, flags = ""): RegExp {
  // Runs of wildcards are one: `****` would make the match slow.
  const parts = pattern.replace(/\*+/g, "*").split("*");
  return new RegExp(
    `^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join(any)}$`,
    flags,
  );
}
