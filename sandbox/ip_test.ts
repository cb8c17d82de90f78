import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { literalAddress, normalIpv6, parseIpv4, parseIpv6 } from "./ip.ts";

Deno.test("parseIpv4() reads dotted addresses and nothing else", () => {
  strictEqual(parseIpv4("127.0.0.1"), 0x7f000001);
  strictEqual(parseIpv4("255.255.255.255"), 0xffffffff);
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "256.0.0.1",
      "01.2.3.4",
      "0x7f.0.0.1",
      "a.b.c.d",
      "1.2.3.-4",
    ]
  ) {
    strictEqual(parseIpv4(text), undefined, text);
  }
});

Deno.test("parseIpv6() reads whole addresses without brackets and nothing else", () => {
  deepStrictEqual(parseIpv6("1:2:3:4:5:6:7:8"), [1, 2, 3, 4, 5, 6, 7, 8]);
  deepStrictEqual(parseIpv6("64:FF9B::1.2.3.4"), [0x64, 0xff9b, 0, 0, 0, 0, 0x102, 0x304]);
  for (const text of ["[::1]", "1:2:3:4:5:6:7:8::", "1.2.3.4::", "1.2.3.4", ":::", "::1.2.3"]) {
    strictEqual(parseIpv6(text), undefined, text);
  }
});

Deno.test("normalIpv6() gives all spellings of an address one form", () => {
  strictEqual(normalIpv6("::1"), "0:0:0:0:0:0:0:1");
  strictEqual(normalIpv6("[0:0::0001]"), "0:0:0:0:0:0:0:1");
  strictEqual(normalIpv6("FE80::1%eth0"), "fe80:0:0:0:0:0:0:1");
  strictEqual(normalIpv6("::ffff:127.0.0.1"), "0:0:0:0:0:ffff:7f00:1");
  for (
    const text of ["", "1::2::3", "1:2:3", "::g", "1:2:3:4:5:6:7:8:9", "::ffff:1.2.3", "12345::"]
  ) {
    strictEqual(normalIpv6(text), undefined, text);
  }
});

Deno.test("literalAddress() takes the brackets off and leaves names alone", () => {
  strictEqual(literalAddress("[::1]"), "::1");
  strictEqual(literalAddress("127.0.0.1"), "127.0.0.1");
  strictEqual(literalAddress("example.org"), undefined);
});
