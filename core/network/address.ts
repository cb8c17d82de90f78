/** What kind of address an IP address is: which ones are public, and which ones a plugin must not reach. */

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

/** The four bytes of a dotted IPv4 address. */
export function parseIPv4(text: string): readonly number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) ? Number(part) : 256);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

/** The sixteen bytes of an IPv6 address, without brackets; a zone (`%eth0`) is left out. */
export function parseIPv6(text: string): readonly number[] | undefined {
  const address = text.replace(/%.*$/, "");
  const halves = address.split("::");
  if (halves.length > 2 || !address.includes(":")) return undefined;
  const [head, tail] = [groupsOf(halves[0]!), groupsOf(halves[1] ?? "")];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(Math.max(missing, 0)).fill(0), ...tail];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

function groupsOf(text: string): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (i === parts.length - 1 && part.includes(".")) {
      const v4 = parseIPv4(part);
      if (v4 === undefined) return undefined;
      groups.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

/** The host of a URL as an IP address, without brackets; undefined for a name. */
export function literalAddress(host: string): string | undefined {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return parseIPv4(bare) !== undefined || parseIPv6(bare) !== undefined ? bare : undefined;
}

type Range = readonly [prefix: string, bits: number, kind: AddressKind];

/** First match counts. From the IANA special-purpose address registries (RFC 6890). */
const RANGES_V4: readonly Range[] = [
  ["169.254.169.254", 32, "metadata"], // AWS, Azure, Google, DigitalOcean, OpenStack
  ["169.254.170.2", 32, "metadata"], // AWS containers
  ["169.254.170.23", 32, "metadata"], // AWS EKS
  ["169.254.0.23", 32, "metadata"], // Tencent
  ["100.100.100.200", 32, "metadata"], // Alibaba
  ["192.0.0.192", 32, "metadata"], // Oracle
  ["168.63.129.16", 32, "metadata"], // Azure wire server
  ["0.0.0.0", 8, "unspecified"],
  ["10.0.0.0", 8, "private"],
  ["100.64.0.0", 10, "private"], // shared by carriers (CGNAT)
  ["127.0.0.0", 8, "loopback"],
  ["169.254.0.0", 16, "link_local"],
  ["172.16.0.0", 12, "private"],
  ["192.0.0.0", 24, "reserved"],
  ["192.0.2.0", 24, "reserved"],
  ["192.168.0.0", 16, "private"],
  ["198.18.0.0", 15, "reserved"],
  ["198.51.100.0", 24, "reserved"],
  ["203.0.113.0", 24, "reserved"],
  ["224.0.0.0", 4, "multicast"],
  ["240.0.0.0", 4, "reserved"],
];

const RANGES_V6: readonly Range[] = [
  ["fd00:ec2::254", 128, "metadata"], // AWS
  ["fd00:ec2::23", 128, "metadata"], // AWS EKS
  ["fd20:ce::254", 128, "metadata"], // Google
  ["::", 128, "unspecified"],
  ["::1", 128, "loopback"],
  ["fc00::", 7, "private"],
  ["fe80::", 10, "link_local"],
  ["fec0::", 10, "private"], // site-local, given up but routed here and there
  ["ff00::", 8, "multicast"],
  ["100::", 64, "reserved"],
  ["2001:db8::", 32, "reserved"],
  ["3fff::", 20, "reserved"],
  ["5f00::", 16, "reserved"],
  ["2001::", 23, "reserved"], // Teredo, ORCHID and others: tunnels that end we do not know where
];

/** IPv4 addresses inside IPv6 ones: at which byte they stand. */
const EMBEDDED_V4: readonly (readonly [prefix: string, bits: number, at: number])[] = [
  ["::ffff:0:0", 96, 12], // IPv4-mapped
  ["::ffff:0:0:0", 96, 12], // IPv4-translated
  ["64:ff9b::", 96, 12], // NAT64
  ["64:ff9b:1::", 48, 12], // NAT64, local use
  ["2002::", 16, 2], // 6to4
];

function inPrefix(bytes: readonly number[], prefix: readonly number[], bits: number): boolean {
  for (let i = 0; i < bits; i += 8) {
    const mask = bits - i >= 8 ? 0xff : (0xff << (8 - (bits - i))) & 0xff;
    if ((bytes[i >> 3]! & mask) !== (prefix[i >> 3]! & mask)) return false;
  }
  return true;
}

/** Classifies an address, IPv4 or IPv6 without brackets. What cannot be read counts as `reserved`. */
export function addressKind(address: string): AddressKind {
  const v4 = parseIPv4(address);
  if (v4 !== undefined) {
    return RANGES_V4.find(([prefix, bits]) => inPrefix(v4, parseIPv4(prefix)!, bits))?.[2] ??
      "public";
  }
  const v6 = parseIPv6(address);
  if (v6 === undefined) return "reserved";
  const embedded = EMBEDDED_V4.find(([prefix, bits]) => inPrefix(v6, parseIPv6(prefix)!, bits));
  if (embedded !== undefined) {
    return addressKind(v6.slice(embedded[2], embedded[2] + 4).join("."));
  }
  const range = RANGES_V6.find(([prefix, bits]) => inPrefix(v6, parseIPv6(prefix)!, bits));
  if (range !== undefined) return range[2];
  // ::a.b.c.d, the IPv4-compatible addresses of old.
  if (inPrefix(v6, parseIPv6("::")!, 96)) return addressKind(v6.slice(12).join("."));
  return "public";
}

/** Whether a plugin may not reach the address without the operator's word. */
export function isPrivateAddress(address: string): boolean {
  return addressKind(address) !== "public";
}
