import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { contains, formatCidr, normalIpv6, parseCidr, parseIpv4, without } from "./cidr.ts";

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

Deno.test("parseCidr() throws when the text is no block", () => {
  deepStrictEqual(parseCidr("100.64.0.0/10"), { base: 0x64400000, prefix: 10 });
  for (const text of ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.1/8", "x/8"]) {
    throws(() => parseCidr(text), TypeError, text);
  }
});

Deno.test("without() leaves the block whole when no address is inside", () => {
  const block = parseCidr("10.0.0.0/8");
  deepStrictEqual(without(block, [parseIpv4("11.0.0.0")!]), [block]);
});

Deno.test("without() leaves everything but the address", () => {
  const left = without(parseCidr("127.0.0.0/8"), [parseIpv4("127.0.0.1")!]);
  strictEqual(left.length, 24);
  strictEqual(left.some((cidr) => contains(cidr, parseIpv4("127.0.0.1")!)), false);
  for (const address of ["127.0.0.0", "127.0.0.2", "127.255.255.255", "127.1.0.1"]) {
    strictEqual(left.filter((cidr) => contains(cidr, parseIpv4(address)!)).length, 1, address);
  }
  const size = left.reduce((sum, { prefix }) => sum + 2 ** (32 - prefix), 0);
  strictEqual(size, 2 ** 24 - 1);
});

Deno.test("without() takes several addresses out of a small block", () => {
  const taken = ["192.168.0.0", "192.168.0.3"].map((address) => parseIpv4(address)!);
  deepStrictEqual(without(parseCidr("192.168.0.0/30"), taken).map(formatCidr), [
    "192.168.0.1",
    "192.168.0.2",
  ]);
  deepStrictEqual(without({ base: 5, prefix: 32 }, [5]), []);
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
