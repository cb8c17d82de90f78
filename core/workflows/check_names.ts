/** Names that are compared, more than JSONata has functions; and how far one may be from what is written. */
const MAX_NAMES = 100;
const MAX_LENGTH = 64;
const MAX_DISTANCE = 5;

/** The name that somebody may have meant. Takes bounded time: of many names the first are looked at. */
export function didYouMean(name: string, known: Iterable<string>): string {
  if (name.length > MAX_LENGTH) return "";
  const wanted = name.toLowerCase();
  let best: string | undefined;
  let least = Math.min(MAX_DISTANCE, Math.max(1, Math.floor(wanted.length / 3))) + 1;
  let left = MAX_NAMES;
  for (const candidate of known) {
    if (left-- === 0) break;
    if (candidate.length > MAX_LENGTH) continue;
    const distance = distanceOf(wanted, candidate.toLowerCase(), least);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best === undefined ? "" : `; did you mean "${best}"?`;
}

/** Letters to add, drop, change or swap with the next one (optimal string alignment); `limit` stands for more. */
function distanceOf(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  const width = b.length + 1;
  const table = new Uint8Array((a.length + 1) * width).fill(limit);
  const at = (i: number, j: number) => table[i * width + j]!;
  for (let i = 0; i <= a.length; i++) {
    // What lies further off the diagonal than the limit does not count.
    for (let j = Math.max(0, i - limit); j <= Math.min(b.length, i + limit); j++) {
      let least = i === 0 ? j : j === 0 ? i : limit;
      if (i > 0 && j > 0) {
        const same = a[i - 1] === b[j - 1] ? 0 : 1;
        least = Math.min(at(i, j - 1) + 1, at(i - 1, j) + 1, at(i - 1, j - 1) + same);
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
          least = Math.min(least, at(i - 2, j - 2) + 1);
        }
      }
      table[i * width + j] = Math.min(limit, least);
    }
  }
  return at(a.length, b.length);
}
