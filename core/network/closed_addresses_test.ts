import assert from "node:assert/strict";
import { contains, parseCidr } from "../../sandbox/cidr.ts";
import { CLOSED_IPV4, CLOSED_IPV6, METADATA } from "../../sandbox/closed_addresses.ts";
import { denyList } from "../../sandbox/flags.ts";
import { formatIpv4, normalIpv6, parseIpv4 } from "../../sandbox/ip.ts";
import { NO_GRANTS } from "../../sandbox/types.ts";
import type { CarrelError } from "../errors.ts";
import { createNetwork } from "./private.ts";

/** First and last address of each closed IPv4 range, and the metadata servers. */
const IPV4: readonly string[] = [
  ...CLOSED_IPV4.flatMap(([block]) => {
    const { base, prefix } = parseCidr(block);
    return [base, base + 2 ** (32 - prefix) - 1].map(formatIpv4);
  }),
  ...METADATA.ipv4,
];

const IPV6: readonly string[] = [
  ...CLOSED_IPV6.map(([block]) => block.split("/")[0]!),
  ...METADATA.ipv6,
];

const denied = denyList(NO_GRANTS, { interfaces: [] });

Deno.test("checkSource() refuses an address in every closed range, as a literal and behind a name", async () => {
  const hidden = new Map<string, string>(
    [...IPV4, ...IPV6].map((address, i) => [`host${i}.example`, address]),
  );
  const network = await createNetwork({ lookup: (host) => Promise.resolve([hidden.get(host)!]) });
  for (const [name, address] of hidden) {
    const literal = address.includes(":") ? `[${address}]` : address;
    for (const host of [name, literal]) {
      await assert.rejects(network.checkSource(`http://${host}/`), (error: CarrelError) => {
        assert.equal(error.code, "private_address", `${host} (${address})`);
        return true;
      });
    }
  }
});

Deno.test("denyList() holds every closed IPv4 range and every single IPv6 address", () => {
  const blocks = denied.filter((entry) => /^[\d./]+$/.test(entry))
    .map((entry) => parseCidr(entry.includes("/") ? entry : `${entry}/32`));
  for (const address of IPV4) {
    assert.ok(blocks.some((block) => contains(block, parseIpv4(address)!)), address);
  }
  for (const [block] of CLOSED_IPV4) assert.ok(denied.includes(block), block);
  for (const address of ["::", "::1", ...METADATA.ipv6]) {
    assert.ok(denied.includes(`[${normalIpv6(address)}]`), address);
  }
});

Deno.test("Deno itself refuses what denyList() holds, whatever is allowed", async () => {
  const hosts = [...IPV4, "[::]", "[::1]", ...METADATA.ipv6.map((address) => `[${address}]`)];
  const code = `
    const states = ${JSON.stringify([...hosts, "93.184.216.34"])}.map((host) =>
      Deno.permissions.querySync({ name: "net", host: host + ":80" }).state);
    console.log(JSON.stringify(states));`;
  const script = await Deno.makeTempFile({ suffix: ".js" });
  try {
    await Deno.writeTextFile(script, code);
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-net", `--deny-net=${denied.join(",")}`, script],
    }).output();
    const states: string[] = JSON.parse(new TextDecoder().decode(stdout));
    for (const [i, host] of hosts.entries()) assert.equal(states[i], "denied", host);
    assert.equal(states.at(-1), "granted");
  } finally {
    await Deno.remove(script);
  }
});
