import assert from "node:assert/strict";
import { addressKind, isPrivateAddress } from "./closed_addresses.ts";

Deno.test("addressKind() tells public addresses from all others", () => {
  const kinds: Record<string, string[]> = {
    public: [
      "1.1.1.1",
      "8.8.8.8",
      "172.15.255.255",
      "172.32.0.0",
      "100.63.255.255",
      "100.128.0.0",
      "192.167.255.255",
      "11.0.0.0",
      "2606:4700:4700::1111",
      "2a00:1450:4001:80b::200e",
      "64:ff9b::8.8.8.8",
      "2002:0808:0808::1",
      "::8.8.8.8",
      "100:0:0:1::1",
      "3fff:1000::1",
      "2001:200::1",
    ],
    loopback: ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"],
    private: [
      "10.0.0.0",
      "10.255.255.255",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "100.64.0.0",
      "100.127.255.255",
      "fc00::1",
      "fdff::1",
      "fec0::1",
      "64:ff9b::10.0.0.1",
      "64:ff9b:1::10.0.0.1",
      "2002:0a00:0001::1",
      "::ffff:0:10.0.0.1",
      "::ffff:192.168.0.1",
    ],
    unspecified: ["0.0.0.0", "0.1.2.3", "::"],
    link_local: ["169.254.1.1", "fe80::1", "fe80::1%eth0", "febf::1"],
    metadata: [
      "169.254.169.254",
      "169.254.170.2",
      "100.100.100.200",
      "192.0.0.192",
      "168.63.129.16",
      "fd00:ec2::254",
      "fd20:ce::254",
      "169.254.170.23",
      "169.254.0.23",
      "fd00:ec2::23",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "64:ff9b::a9fe:a9fe",
    ],
    multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
    reserved: [
      "240.0.0.1",
      "255.255.255.255",
      "192.0.2.1",
      "198.18.0.1",
      "2001:db8::1",
      "2001::1",
      "100::1",
      "3fff:fff::1",
      "5f00::1",
    ],
  };
  for (const [kind, addresses] of Object.entries(kinds)) {
    for (const address of addresses) assert.equal(addressKind(address), kind, address);
  }
});

Deno.test("addressKind() counts what it cannot read as not public", () => {
  for (
    const text of [
      "",
      "localhost",
      "1.2.3",
      "1.2.3.4.5",
      "01.2.3.4",
      "1:2",
      ":::",
      "g::1",
      "1.2.3.4::",
    ]
  ) {
    assert.ok(isPrivateAddress(text), text);
  }
});
