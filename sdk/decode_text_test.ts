import assert from "node:assert/strict";
import { charsetOf, decodeText, looksBinary } from "./decode_text.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const latin = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i), littleEndian);
  return bytes;
}

Deno.test("decodeText() takes UTF-8 as it is when nothing is declared", () => {
  assert.deepEqual(decodeText(utf8("Grüße, Welt")), { text: "Grüße, Welt", encoding: "utf-8" });
});

Deno.test("decodeText() heeds a byte order mark and leaves it out", () => {
  assert.equal(decodeText(utf8("\uFEFFé"), ["windows-1252"]).text, "é");
  assert.equal(decodeText(utf16("\uFEFFŁódź", true)).text, "Łódź");
  assert.equal(decodeText(utf16("\uFEFFŁódź", false)).text, "Łódź");
});

Deno.test("decodeText() knows UTF-16 without a mark when most of it is ASCII", () => {
  assert.equal(decodeText(utf16("plain words in wide letters", true)).encoding, "utf-16le");
  assert.equal(decodeText(utf16("plain words in wide letters", false)).encoding, "utf-16be");
});

Deno.test("decodeText() uses the declared encoding when the bytes fit it", () => {
  const bytes = new Uint8Array([0x93, 0xFA, 0x96, 0x7B]);
  assert.deepEqual(decodeText(bytes, ["Shift_JIS"]), { text: "日本", encoding: "shift_jis" });
  assert.equal(decodeText(latin("caf\xE9"), ["iso-8859-1"]).text, "café");
  assert.equal(decodeText(latin("\x1B$B%F\x1B(B"), ["iso-2022-jp"]).text, "テ");
});

Deno.test("decodeText() reads UTF-8 in spite of a wrong declaration, and says so", () => {
  const { text, encoding, warning } = decodeText(utf8("café"), ["iso-8859-1"]);
  assert.equal(text, "café");
  assert.equal(encoding, "utf-8");
  assert.match(warning!, /declared as windows-1252 but the text is UTF-8/);
  assert.equal(decodeText(utf8("plain"), ["iso-8859-1"]).warning, undefined);
});

Deno.test("decodeText() falls back to windows-1252 when the text is not what was declared", () => {
  const { text, warning } = decodeText(latin("\x93caf\xE9\x94"), ["utf-8"]);
  assert.equal(text, "“café”");
  assert.match(warning!, /declared as utf-8 but the text is not/);
  assert.match(decodeText(latin("caf\xE9")).warning!, /not declared/);
});

Deno.test("decodeText() tries the second label when the first does not fit", () => {
  const { text, encoding, warning } = decodeText(latin("\xCF\xF0\xE8\xE2\xE5\xF2"), [
    "utf-8",
    "windows-1251",
  ]);
  assert.equal(text, "Привет");
  assert.equal(encoding, "windows-1251");
  assert.match(warning!, /declared as utf-8/);
});

Deno.test("decodeText() keeps UTF-8 when a few of many characters are damaged", () => {
  const bytes = new Uint8Array([...utf8("äöüäöüäöüäöü"), 0xFF, ...utf8("äöüäöüäöü")]);
  const { text, encoding, warning } = decodeText(bytes);
  assert.equal(encoding, "utf-8");
  assert.ok(text.startsWith("äöü") && text.includes("\uFFFD"));
  assert.match(warning!, /1 damaged character\./);
});

Deno.test("decodeText() passes over labels that nobody knows", () => {
  assert.equal(decodeText(latin("caf\xE9"), ["klingon", undefined, "latin1"]).text, "café");
});

Deno.test("charsetOf() finds the parameter of a media type", () => {
  assert.equal(charsetOf('text/html; boundary=x; Charset="UTF-8"'), "UTF-8");
  assert.equal(charsetOf("text/plain;charset=iso-8859-15"), "iso-8859-15");
  assert.equal(charsetOf("text/plain"), undefined);
});

Deno.test("looksBinary() tells data from text", () => {
  assert.equal(looksBinary(utf8("text\twith\r\n\x1B[1mcolours\x1B[0m\f")), false);
  assert.equal(looksBinary(utf16("\uFEFFwide", true)), false);
  assert.equal(looksBinary(utf16("plain words in wide letters", false)), false);
  assert.equal(looksBinary(new Uint8Array([0x7F, 0x45, 0x4C, 0x46, 2, 1, 1, 0, 0])), true);
  assert.equal(looksBinary(latin("\x89PNG\r\n\x1A\n\x01\x02\x03\x04")), true);
  assert.equal(looksBinary(latin("a text at first".repeat(1000) + "\x00")), true);
  assert.equal(looksBinary(new Uint8Array()), false);
});
