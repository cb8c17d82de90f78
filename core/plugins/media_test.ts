import assert from "node:assert/strict";
import { zipSync } from "fflate";
import { mediaTypeOfName, sniff, sniffMediaType } from "./media.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const bytes = (...values: number[]) => new Uint8Array(values);

const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const PNG = bytes(0x89, 0x50, 0x4e, 0x47, 13, 10, 0x1a, 10, 0, 0, 0, 13);
const EPUB = zipSync({
  mimetype: [utf8("application/epub+zip"), { level: 0 }],
  "a.txt": utf8("x"),
});

Deno.test("sniff() knows the common formats by their marks", () => {
  const known: [Uint8Array, string][] = [
    [utf8("%PDF-1.7\n"), "application/pdf"],
    [utf8("junk before\n%PDF-1.4\n"), "application/pdf"],
    [EPUB, "application/epub+zip"],
    [zipSync({ "[Content_Types].xml": utf8("<a/>"), "word/document.xml": utf8("<a/>") }), DOCX],
    [zipSync({ "notes.txt": utf8("x") }), "application/zip"],
    [PNG, "image/png"],
    [bytes(0xff, 0xd8, 0xff, 0xe0), "image/jpeg"],
    [utf8("GIF89a"), "image/gif"],
    [utf8("RIFF1234WEBPVP8"), "image/webp"],
    [utf8("RIFF1234WAVEfmt"), "audio/wav"],
    [bytes(0x1f, 0x8b, 8), "application/gzip"],
    [utf8("OggS"), "audio/ogg"],
    [utf8("ID3"), "audio/mpeg"],
    [bytes(0, 0, 0, 24, 0x66, 0x74, 0x79, 0x70), "video/mp4"],
    [bytes(0x1a, 0x45, 0xdf, 0xa3), "video/webm"],
    [utf8("<!DOCTYPE html><html>"), "text/html"],
    [utf8("\uFEFF  <!-- hello -->\n<html lang=en>"), "text/html"],
    [utf8("Just some words."), "text/plain"],
    [bytes(0xff, 0xfe, 0x68, 0, 0x69, 0), "text/plain"],
    [bytes(0xfe, 0xff, 0, 0x68, 0, 0x69), "text/plain"],
    [bytes(0x63, 0x61, 0x66, 0xe9, 0x20, 0x61), "text/plain"],
    [bytes(0, 1, 2, 3), "application/octet-stream"],
  ];
  for (const [data, mediaType] of known) {
    assert.deepEqual(sniff(data, undefined, undefined), { mediaType, agrees: true }, mediaType);
    assert.equal(sniff(data, "application/octet-stream", undefined).mediaType, mediaType);
  }
});

Deno.test("sniff() catches a lying media type", () => {
  const lies: [Uint8Array, string, string][] = [
    [PNG, "application/pdf", "image/png"],
    [utf8("%PDF-1.7"), "text/html", "application/pdf"],
    [utf8("<html><body>"), "application/pdf", "text/html"],
    [utf8("plain words"), "image/png", "text/plain"],
    [bytes(0, 1, 2, 3), "text/plain", "application/octet-stream"],
    [bytes(0, 1, 2, 3), "image/png", "application/octet-stream"],
    [bytes(0, 1, 2, 3), "application/epub+zip", "application/octet-stream"],
    [EPUB, "application/pdf", "application/epub+zip"],
  ];
  for (const [data, declared, mediaType] of lies) {
    assert.deepEqual(sniff(data, declared, undefined), { mediaType, agrees: false }, declared);
  }
});

Deno.test("sniff() believes what the bytes do not contradict", () => {
  const agreed: [Uint8Array, string | undefined, string | undefined, string][] = [
    [utf8("# Title"), "text/markdown; charset=utf-8", undefined, "text/markdown"],
    [utf8("# Title"), "application/octet-stream", "notes.MD", "text/markdown"],
    [utf8("# Title"), undefined, "notes.md", "text/markdown"],
    [utf8("<rss/>"), "application/rss+xml", undefined, "application/rss+xml"],
    [utf8("<html>"), "application/xhtml+xml", undefined, "application/xhtml+xml"],
    [utf8("<html>"), "text/plain", undefined, "text/plain"],
    [utf8("words"), undefined, "archive.zzz", "text/plain"],
    [new Uint8Array(), "application/pdf", undefined, "application/pdf"],
    [new Uint8Array(), undefined, undefined, "text/plain"],
    [bytes(0, 1, 2, 3), "application/pdf", undefined, "application/pdf"],
    [bytes(0, 1, 2, 3), "audio/flac", undefined, "audio/flac"],
    [zipSync({ a: utf8("x") }), DOCX, undefined, DOCX],
    [EPUB, "application/zip", undefined, "application/epub+zip"],
    [utf8("%PDF-1.7"), "application/x-pdf", undefined, "application/pdf"],
  ];
  for (const [data, declared, name, mediaType] of agreed) {
    assert.deepEqual(sniff(data, declared, name), { mediaType, agrees: true }, mediaType);
  }
});

Deno.test("sniffMediaType() keeps the charset of a declared type that holds", () => {
  const text = utf8("<html>");
  assert.equal(
    sniffMediaType(text, "text/html; charset=Shift_JIS", undefined),
    "text/html; charset=Shift_JIS",
  );
  assert.equal(sniffMediaType(PNG, "text/html; charset=utf-8", undefined), "image/png");
  assert.equal(sniffMediaType(text, undefined, undefined), "text/html");
});

Deno.test("mediaTypeOfName() goes by the ending", () => {
  assert.equal(mediaTypeOfName("a.b.PDF"), "application/pdf");
  assert.equal(mediaTypeOfName("pdf"), undefined);
  assert.equal(mediaTypeOfName("a.unknown"), undefined);
  assert.equal(mediaTypeOfName(undefined), undefined);
});

Deno.test("sniff() takes for text what the importers read as text", () => {
  const wide = Uint8Array.from("plain words in wide letters", (char) => char.charCodeAt(0))
    .reduce<number[]>((bytes, byte) => [...bytes, byte, 0], []);
  const text = { mediaType: "text/plain", agrees: true };
  assert.deepEqual(sniff(Uint8Array.from(wide), "text/plain", undefined), text);
});
