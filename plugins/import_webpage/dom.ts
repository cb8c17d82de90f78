/**
 * The part of the DOM that this plugin uses. The compiler has no DOM types here, because neither the
 * host nor a guest has a DOM; linkedom supplies one that is like enough to a browser's.
 */

export interface DomNode {
  readonly nodeType: number;
  readonly nodeName: string;
  readonly nodeValue: string | null;
  readonly textContent: string | null;
  readonly childNodes: Iterable<DomNode> & { readonly length: number };
  readonly parentElement: DomElement | null;
}

export interface DomElement extends DomNode {
  readonly children: Iterable<DomElement>;
  readonly firstElementChild: DomElement | null;
  readonly nextElementSibling: DomElement | null;
  getAttribute(name: string): string | null;
  getElementsByTagName(name: string): ArrayLike<DomElement> & Iterable<DomElement>;
  querySelector(selector: string): DomElement | null;
  querySelectorAll(selector: string): ArrayLike<DomElement> & Iterable<DomElement>;
  append(...nodes: DomNode[]): void;
  prepend(...nodes: DomNode[]): void;
  remove(): void;
}

export interface DomDocument extends DomElement {
  readonly documentElement: DomElement;
  readonly body: DomElement | null;
  /** What relative addresses are resolved against. */
  readonly baseURI: string;
  /** Where the page came from. */
  readonly documentURI: string;
  createElement(name: string): DomElement;
}

/** What this plugin uses of turndown, which comes without types. */
export interface Turndown {
  /** Marks the signs of Markdown in plain text. */
  escape: (text: string) => string;
  remove(names: readonly string[]): unknown;
  addRule(name: string, rule: {
    filter: string | readonly string[];
    replacement(content: string, node: DomElement): string;
  }): unknown;
  turndown(element: DomElement): string;
}
