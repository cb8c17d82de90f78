/** The floor of the import bench: the bare libraries over saved pages, in one process. Prints milliseconds. */
import { Readability } from "@mozilla/readability";
import { parseHTML } from "linkedom";
import TurndownService from "turndown";

const [folder] = Deno.args;
const start = performance.now();
for (const entry of Deno.readDirSync(folder!)) {
  const html = Deno.readTextFileSync(`${folder}/${entry.name}/source.html`);
  // deno-lint-ignore no-explicit-any -- linkedom's document, as the library wants it
  const { document } = parseHTML(html) as any;
  const article = new Readability(document, { serializer: (node) => node }).parse();
  if (article?.content) {
    // deno-lint-ignore no-explicit-any -- a node, which turndown takes
    new TurndownService().turndown(article.content as any);
  }
}
console.log(performance.now() - start);
