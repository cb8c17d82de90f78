/**
 * Arithmetic on IPv4 ranges: which CIDR blocks are left when single addresses are taken out of one.
 * A deny list wins over an allow list, so an address is opened by denying everything around it.
 */
import { formatIpv4, parseIpv4 } from "./ip.ts";

/** `10.0.0.0/8` as the number of its first address and the length of its prefix. */
export interface Cidr {
  readonly base: number;
  /** 0 to 32. */
  readonly prefix: number;
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
