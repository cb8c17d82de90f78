import assert from "node:assert/strict";
import { readDocument } from "./document.ts";

const read = (html: string) => readDocument(html, "https://a.example/").documentElement.toString();

Deno.test("readDocument() puts a title before the body into the head, as a browser does", () => {
  assert.equal(
    read("<html><title>T</title><body><p>x</p></body></html>"),
    "<html><head><title>T</title></head><body><p>x</p></body></html>",
  );
});

Deno.test("readDocument() makes head and body where both tags are left out", () => {
  assert.equal(
    read("<html><title>T</title><p>x</p><style></style>"),
    "<html><head><title>T</title></head><body><p>x</p><style></style></body></html>",
  );
});
