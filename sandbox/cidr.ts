/**
 * Arithmetic on IPv4 ranges: which CIDR blocks are left when single addresses are taken out of one.
 * A deny list wins over an allow list, so an address is opened by denying everything around it.
 */

/** `10.0.0.0/8` as the number of its first address and the length of its prefix. */
export interface Cidr {
  readonly base: number;
  /** 0 to 32. */
  readonly prefix: number;
}

/** The 32-bit number of a dotted IPv4 address, or undefined if it is not one. No leading zeros. */
export function parseIpv4(text: string): number | undefined {
  const fields = text.split(".");
  if (fields.length !== 4) return undefined;
  let value = 0;
  for (const field of fields) {
    if (!/^(0|[1-9]\d{0,2})$/.test(field)) return undefined;
    const octet = Number(field);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** The dotted form of a 32-bit number. */
export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

/** Parses `a.b.c.d/n`; throws a `TypeError` if it is not a block or has bits set behind its prefix. */
export function parseCidr(text: string): Cidr {
  const [address = "", length = ""] = text.split("/");
  const base = parseIpv4(address);
  const prefix = Number(length);
  if (base === undefined || !/^\d{1,2}$/.test(length) || prefix > 32) {
    throw new TypeError(`Cannot read "${text}": not an IPv4 range`);
  }
  if (base % 2 ** (32 - prefix) !== 0) {
    throw new TypeError(`Cannot read "${text}": bits are set behind the prefix`);
  }
  return { base, prefix };
}

/** A block as text; a single address without its `/32`. */
export function formatCidr({ base, prefix }: Cidr): string {
  return prefix === 32 ? formatIpv4(base) : `${formatIpv4(base)}/${prefix}`;
}

/** Whether the block holds the address. */
export function contains(cidr: Cidr, address: number): boolean {
  return address >= cidr.base && address < cidr.base + 2 ** (32 - cidr.prefix);
}

/** The smallest list of blocks that holds all of `cidr` but `addresses`, ascending. */
export function without(cidr: Cidr, addresses: readonly number[]): Cidr[] {
  const inside = addresses.filter((address) => contains(cidr, address));
  if (inside.length === 0) return [cidr];
  if (cidr.prefix === 32) return [];
  const prefix = cidr.prefix + 1;
  const upper = cidr.base + 2 ** (32 - prefix);
  return [
    ...without({ base: cidr.base, prefix }, inside),
    ...without({ base: upper, prefix }, inside),
  ];
}

/**
 * The eight groups of an IPv6 literal in their shortest form (`::1` becomes `0:0:0:0:0:0:0:1`), so
 * that two spellings of one address are equal; undefined if it is not one. A zone (`%eth0`) is cut.
 */
export function normalIpv6(text: string): string | undefined {
  const bare = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "").toLowerCase();
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(bare);
  let source = bare;
  if (tail) {
    const v4 = parseIpv4(tail[2]!);
    if (v4 === undefined) return undefined;
    source = `${tail[1]}${Math.floor(v4 / 65536).toString(16)}:${(v4 % 65536).toString(16)}`;
  }
  const halves = source.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], rest = []] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - head.length - rest.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...rest];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return undefined;
  return groups.map((group) => parseInt(group, 16).toString(16)).join(":");
}
