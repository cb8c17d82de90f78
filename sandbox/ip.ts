/** IP addresses as text and as numbers. */

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

/**
 * The eight 16-bit groups of an IPv6 address without brackets, or undefined if it is not one. A zone
 * (`%eth0`) is cut; the last four bytes may be dotted.
 */
export function parseIpv6(text: string): readonly number[] | undefined {
  const bare = text.replace(/%.*$/, "").toLowerCase();
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
  return groups.map((group) => parseInt(group, 16));
}

/**
 * An IPv6 address, in brackets or not, with all of its groups (`::1` becomes `0:0:0:0:0:0:0:1`), so
 * that two spellings of one address are equal; undefined if it is not one.
 */
export function normalIpv6(text: string): string | undefined {
  return parseIpv6(bareHost(text))?.map((group) => group.toString(16)).join(":");
}

/** The host of a URL as an IP address, without brackets; undefined for a name. */
export function literalAddress(host: string): string | undefined {
  const bare = bareHost(host);
  return parseIpv4(bare) !== undefined || parseIpv6(bare) !== undefined ? bare : undefined;
}

function bareHost(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
