import { Readability } from "@mozilla/readability";
import type { DomDocument, DomElement } from "./dom.ts";
import { readDocument } from "./document.ts";

/** The part of a page that people come for. */
export interface Article {
  readonly element: DomElement;
  readonly title?: string | undefined;
  readonly byline?: string | undefined;
  readonly summary?: string | undefined;
  readonly siteName?: string | undefined;
  readonly published?: string | undefined;
  readonly direction?: string | undefined;
  readonly warnings: readonly string[];
}

const NOT_TEXT =
  "script,style,noscript,template,nav,header,footer,aside,form,iframe,dialog,[hidden]";

/**
 * Finds the article. The document is taken apart on the way; `html` is what it was made of, for the
 * case that there is no article and the text of the whole page must do.
 */
export function findArticle(document: DomDocument, html: string): Article {
  const found = reader(document).parse();
  const element = found?.content;
  if (found !== null && element && (found.textContent ?? "").trim() !== "") {
    return {
      element,
      title: tidy(found.title),
      byline: tidy(found.byline),
      summary: tidy(found.excerpt),
      siteName: tidy(found.siteName),
      published: tidy(found.publishedTime),
      direction: tidy(found.dir),
      warnings: [],
    };
  }
  return wholePage(html, document.documentURI);
}

function reader(document: DomDocument): Readability<DomElement> {
  const readability = new Readability<DomElement>(document, {
    // The element itself, so that nothing is written out and parsed again.
    serializer: (node) => node as DomElement,
    // The classes of code blocks name their language.
    keepClasses: true,
  });
  // MathJax's containers have "Menu" in their class, which reads like a site's menu.
  const patterns = readability as unknown as { REGEXPS: Record<string, RegExp> };
  patterns.REGEXPS = {
    ...patterns.REGEXPS,
    okMaybeItsACandidate: new RegExp(
      `${patterns.REGEXPS.okMaybeItsACandidate!.source}|mathjax`,
      "i",
    ),
  };
  return readability;
}

function wholePage(html: string, url: string): Article {
  const document = readDocument(html, url);
  const root = document.querySelector("main,[role=main],article") ?? document.body ??
    document.documentElement;
  for (const element of root.querySelectorAll(NOT_TEXT)) element.remove();
  return {
    element: root,
    title: tidy(document.querySelector("title")?.textContent),
    warnings: ["No article was found in the page, so its whole text was taken."],
  };
}

function tidy(text: string | null | undefined): string | undefined {
  const tidied = text?.replace(/\s+/g, " ").trim();
  return tidied === "" ? undefined : tidied;
}
