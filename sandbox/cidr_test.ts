import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { contains, formatCidr, parseCidr, without } from "./cidr.ts";
import { parseIpv4 } from "./ip.ts";

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
