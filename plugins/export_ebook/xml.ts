/**
 * Replaces what XML 1.0 cannot say (https://www.w3.org/TR/xml/#charsets): control characters, lone
 * surrogates, U+FFFE and U+FFFF. Line ends become `\n`.
 */
export function cleanText(text: string): string {
  return text.toWellFormed()
    .replace(/\r\n?/g, "\n")
    .replace(/[\v\f]/g, " ")
    // deno-lint-ignore no-control-regex -- removing them is the point
    .replace(/[\u0000-\u0008\u000e-\u001f\u007f\ufffe\uffff]/g, "");
}

/** One line of clean text, for titles and names. */
export function oneLine(text: string): string {
  return cleanText(text).replace(/\s+/g, " ").trim();
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
};

/** Text for element content and for attributes in double quotes. It must be clean already. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => ESCAPES[character]!);
}

/** ` name="value"` for each attribute that has a value. */
export function attributes(values: Readonly<Record<string, string | undefined>>): string {
  let out = "";
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) out += ` ${name}="${escapeXml(value)}"`;
  }
  return out;
}

/** An XHTML page of the book. `body` and `head` are markup. */
export function xhtmlPage(page: {
  title: string;
  language?: string | undefined;
  rtl?: boolean | undefined;
  head?: string | undefined;
  bodyClass?: string | undefined;
  bodyType?: string | undefined;
  body: string;
}): string {
  const html = attributes({
    xmlns: "http://www.w3.org/1999/xhtml",
    "xmlns:epub": "http://www.idpf.org/2007/ops",
    lang: page.language,
    "xml:lang": page.language,
    dir: page.rtl ? "rtl" : undefined,
  });
  return `<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE html>
<html${html}>
<head>
<meta charset="utf-8"/>
<title>${escapeXml(page.title)}</title>
<link rel="stylesheet" type="text/css" href="style.css"/>${page.head ?? ""}
</head>
<body${attributes({ class: page.bodyClass, "epub:type": page.bodyType })}>
${page.body}
</body>
</html>
`;
}
