/** Leaves size, face and colours of the text to the reader; sets rhythm and rank. */
export const STYLE = `@charset "utf-8";
html { line-height: 1.5; }
body { margin: 0 4%; padding: 0; text-align: start; overflow-wrap: break-word; word-wrap: break-word;
  -webkit-hyphens: auto; hyphens: auto; widows: 2; orphans: 2; }
h1, h2, h3, h4, h5, h6 { line-height: 1.2; font-weight: bold; text-align: start; -webkit-hyphens: none;
  hyphens: none; break-after: avoid; page-break-after: avoid; break-inside: avoid; page-break-inside: avoid; }
h1 { font-size: 1.9em; margin: 0 0 0.5em; }
h2 { font-size: 1.35em; margin: 1.9em 0 0.55em; }
h3 { font-size: 1.12em; margin: 1.6em 0 0.45em; }
h4, h5, h6 { font-size: 1em; margin: 1.4em 0 0.35em; }
h5, h6 { font-style: italic; font-weight: normal; }
p { margin: 0 0 0.85em; }
a { color: inherit; text-decoration: underline; }
ul, ol { margin: 0 0 0.9em; padding: 0; padding-inline-start: 1.5em; }
li { margin: 0 0 0.3em; }
li p, td p, th p { margin: 0 0 0.4em; }
li > ul, li > ol { margin: 0.3em 0 0; }
blockquote { margin: 1.1em 0; padding: 0; padding-inline-start: 1em; border-inline-start: 0.2em solid #b08d57; }
blockquote p:last-child { margin-bottom: 0; }
hr { width: 30%; height: 0; margin: 2em auto; border: 0; border-top: 1px solid #8a8378; }
code, kbd, samp, pre { font-family: "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.86em;
  -webkit-hyphens: none; hyphens: none; }
pre { margin: 1.1em 0; padding: 0.7em 0.9em; border: 1px solid #c9c2b4; border-radius: 0.25em; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; text-align: left; }
pre code { font-size: 1em; }
code.math { font-style: italic; }
div.table { margin: 1.2em 0; overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.88em; line-height: 1.35; min-width: 60%; -webkit-hyphens: none; hyphens: none; }
th, td { padding: 0.4em 0.7em; border-bottom: 1px solid #c9c2b4; vertical-align: top; text-align: start; }
thead th { border-bottom: 2px solid #8a8378; vertical-align: bottom; }
.right { text-align: right; }
.center { text-align: center; }
sup, sub { font-size: 0.72em; line-height: 0; }
a.noteref { text-decoration: none; }
aside.footnote { margin: 0 0 0.7em; font-size: 0.88em; }
aside.footnote p { margin: 0 0 0.3em; }
a.backlink { text-decoration: none; font-weight: bold; }
a.image { font-size: 0.88em; font-style: italic; }
p.caption { font-size: 0.88em; font-style: italic; }
p.term { margin-bottom: 0.15em; font-weight: bold; }
div.definition { margin-inline-start: 1.5em; }
p.empty { font-style: italic; }

header.opening { margin: 8% 0 2.2em; padding-bottom: 1.1em; border-bottom: 1px solid #b08d57; }
header.opening .number { margin: 0 0 0.35em; font-size: 0.95em; font-weight: bold; letter-spacing: 0.12em; color: #96713a; }
header.opening .source { margin: 0; font-size: 0.84em; line-height: 1.45; -webkit-hyphens: none; hyphens: none; }
html[dir="rtl"] header.opening .source { text-align: right; }
header.opening .authors { font-weight: bold; }

body.cover { margin: 0; padding: 0; text-align: center; }
img.cover { display: block; margin: 0 auto; max-width: 100%; height: auto; max-height: 100vh; }

body.contents h1, body.sources h1 { margin-top: 8%; padding-bottom: 0.45em; border-bottom: 1px solid #b08d57; }
body.contents ol { list-style: none; margin: 0; padding: 0; }
body.contents li { margin: 0; }
body.contents ol > li > a { display: block; padding: 0.3em 0; text-decoration: none; }
body.contents nav > ol > li > a { margin-top: 0.6em; font-weight: bold; }
body.contents ol ol { padding-inline-start: 1.2em; font-size: 0.92em; }

section.entry { margin: 0 0 1.7em; break-inside: avoid; page-break-inside: avoid; }
section.entry h2 { margin: 0 0 0.4em; font-size: 1.08em; }
section.entry h2 .label { color: #96713a; padding-inline-end: 0.3em; }
p.field { margin: 0 0 0.15em; font-size: 0.86em; line-height: 1.45; text-align: start; -webkit-hyphens: none; hyphens: none; }
p.field .label { display: inline-block; min-width: 6em; font-variant: small-caps; letter-spacing: 0.03em; color: #6d665b; }
`;
