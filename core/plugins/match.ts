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
    const scheme = parts[1]!.toLowerCase();
    const host = parts[2]!.toLowerCase();
    const path = parts[3] ?? "/*";
    const wholePath = path.includes("?");
    return {
      text,
      specificity,
      test(given) {
        const url = parseUrl(given);
        return url !== undefined && glob(scheme, url.protocol.slice(0, -1)) &&
          (glob(host, url.host) || glob(host, url.hostname)) &&
          glob(path, wholePath ? url.pathname + url.search : url.pathname);
      },
    };
  }
  const lower = text.toLowerCase();
  const onPath = text.startsWith("*");
  return {
    text,
    specificity,
    test: (url) =>
      glob(lower, ((onPath ? parseUrl(url)?.pathname : undefined) ?? url).toLowerCase()),
  };
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

/**
 * Whether `*` for any run of characters makes the pattern the text. Not a regular expression: patterns come
 * with plugins, and one such as `*a*a*a*b` would keep the host busy for ever. This takes at most
 * pattern × text steps.
 */
function glob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}
