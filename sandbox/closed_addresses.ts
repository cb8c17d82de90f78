/**
 * Which addresses a plugin must not reach without the operator's word. One list for the two that keep
 * it: the flags of a runner, and the host when it looks at a URL or a grant.
 */
import { contains, parseCidr } from "./cidr.ts";
import { normalIpv6, parseIpv4, parseIpv6 } from "./ip.ts";

export type AddressKind =
  | "public"
  /** 0.0.0.0/8 and `::`: reach this machine on many systems. */
  | "unspecified"
  | "loopback"
  | "private"
  | "link_local"
  /** A cloud's metadata server: hands out credentials to whoever asks. */
  | "metadata"
  | "multicast"
  /** Documentation, benchmarking, future use. */
  | "reserved";

/** Where clouds hand out credentials. No grant opens them. */
export const METADATA = {
  ipv4: [
    "169.254.169.254", // AWS, Azure, Google, DigitalOcean, OpenStack
    "169.254.170.2", // AWS containers
    "169.254.170.23", // AWS EKS
    "169.254.0.23", // Tencent
    "100.100.100.200", // Alibaba
    "192.0.0.192", // Oracle
    "168.63.129.16", // Azure wire server
  ],
  ipv6: [
    "fd00:ec2::254", // AWS
    "fd00:ec2::23", // AWS EKS
    "fd20:ce::254", // Google
  ],
  names: ["metadata.google.internal", "metadata.goog"],
} as const;

type Range = readonly [block: string, kind: AddressKind];

/**
 * IPv4 ranges that no public host has, from the IANA special-purpose address registry (RFC 6890).
 * `0.0.0.0/8` is not inside `127.0.0.0/8` and reaches loopback.
 */
export const CLOSED_IPV4: readonly Range[] = [
  ["0.0.0.0/8", "unspecified"],
  ["10.0.0.0/8", "private"],
  ["100.64.0.0/10", "private"], // shared by carriers (CGNAT)
  ["127.0.0.0/8", "loopback"],
  ["169.254.0.0/16", "link_local"],
  ["172.16.0.0/12", "private"],
  ["192.0.0.0/24", "reserved"],
  ["192.0.2.0/24", "reserved"],
  ["192.168.0.0/16", "private"],
  ["198.18.0.0/15", "reserved"],
  ["198.51.100.0/24", "reserved"],
  ["203.0.113.0/24", "reserved"],
  ["224.0.0.0/4", "multicast"],
  ["240.0.0.0/4", "reserved"],
];

/** The same for IPv6. Of these Deno's flags can only deny single addresses; the host refuses them all. */
export const CLOSED_IPV6: readonly Range[] = [
  ["::/128", "unspecified"],
  ["::1/128", "loopback"],
  ["fc00::/7", "private"],
  ["fe80::/10", "link_local"],
  ["64:ff9b:1::/48", "private"], // NAT64 of a site, whose prefix length only the site knows (RFC 8215)
  ["fec0::/10", "private"], // site-local, given up but routed here and there
  ["ff00::/8", "multicast"],
  ["100::/64", "reserved"],
  ["2001:db8::/32", "reserved"],
  ["3fff::/20", "reserved"],
  ["5f00::/16", "reserved"],
  ["2001::/23", "reserved"], // Teredo, ORCHID and others: tunnels that end we do not know where
];

/** IPv4 addresses inside IPv6 ones: at which 16-bit group they begin. */
const EMBEDDED_IPV4 = ([
  ["::ffff:0:0/96", 6], // IPv4-mapped
  ["::ffff:0:0:0/96", 6], // IPv4-translated
  ["64:ff9b::/96", 6], // NAT64
  ["2002::/16", 1], // 6to4
] as const).map(([block, at]) => ({ ...block6(block), at }));

const RANGES_V4 = CLOSED_IPV4.map(([block, kind]) => ({ cidr: parseCidr(block), kind }));
const RANGES_V6 = CLOSED_IPV6.map(([block, kind]) => ({ ...block6(block), kind }));
const METADATA_V4 = new Set<number | undefined>(METADATA.ipv4.map(parseIpv4));
const METADATA_V6 = new Set<string | undefined>(METADATA.ipv6.map(normalIpv6));
/** `::a.b.c.d`, the IPv4-compatible addresses of old. */
const COMPATIBLE = block6("::/96");

/** Classifies an address, IPv4 or IPv6 without brackets. What cannot be read counts as `reserved`. */
export function addressKind(address: string): AddressKind {
  const v4 = parseIpv4(address);
  if (v4 !== undefined) return kindOfIpv4(v4);
  const v6 = parseIpv6(address);
  if (v6 === undefined) return "reserved";
  const embedded = EMBEDDED_IPV4.find((block) => holds(block, v6));
  if (embedded !== undefined) return kindOfIpv4(ipv4At(v6, embedded.at));
  if (METADATA_V6.has(normalIpv6(address))) return "metadata";
  const range = RANGES_V6.find((block) => holds(block, v6));
  if (range !== undefined) return range.kind;
  return holds(COMPATIBLE, v6) ? kindOfIpv4(ipv4At(v6, 6)) : "public";
}

/** Whether a plugin may not reach the address without the operator's word. */
export function isPrivateAddress(address: string): boolean {
  return addressKind(address) !== "public";
}

function kindOfIpv4(address: number): AddressKind {
  if (METADATA_V4.has(address)) return "metadata";
  return RANGES_V4.find(({ cidr }) => contains(cidr, address))?.kind ?? "public";
}

interface Block6 {
  readonly groups: readonly number[];
  readonly bits: number;
}

function block6(text: string): Block6 {
  const [address = "", bits] = text.split("/");
  return { groups: parseIpv6(address)!, bits: Number(bits) };
}

function holds({ groups, bits }: Block6, address: readonly number[]): boolean {
  return groups.every((group, i) => {
    const free = Math.min(16, Math.max(0, 16 * (i + 1) - bits));
    return group >> free === address[i]! >> free;
  });
}

function ipv4At(groups: readonly number[], at: number): number {
  return groups[at]! * 65536 + groups[at + 1]!;
}
