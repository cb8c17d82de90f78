import assert from "node:assert/strict";
import { attributionText } from "./attribution_text.ts";

Deno.test("attributionText() says of each source what is known of it", () => {
  assert.equal(
    attributionText([
      {
        title: "A",
        authors: ["X", "Y"],
        published: "2024-05-01",
        url: "https://a.example/",
        filename: undefined,
        licence: "MIT",
      },
      {
        title: "B",
        authors: [],
        published: undefined,
        url: undefined,
        filename: "b.pdf",
        licence: undefined,
      },
    ]),
    "“A” by X, Y (2024), https://a.example/, licensed MIT.\n“B”, b.pdf.",
  );
});
