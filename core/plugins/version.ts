/** Versions and ranges of them, as https://semver.org says; ranges are comparators that all must hold. */

/** `1.2.3`, `1.2.3-beta.1`, `1.2.3+build` */
export interface Version {
  readonly numbers: readonly [major: number, minor: number, patch: number];
  readonly prerelease: readonly string[];
}

const NUMBER = "(0|[1-9][0-9]{0,8})";
const FULL = new RegExp(
  `^${NUMBER}\\.${NUMBER}\\.${NUMBER}(?:-([0-9A-Za-z.-]{1,64}))?(?:\\+[0-9A-Za-z.-]{1,64})?$`,
);
const COMPARATOR = new RegExp(`^(>=|<=|>|<|=)?${NUMBER}(?:\\.${NUMBER})?(?:\\.${NUMBER})?$`);

/** The version that a text says, or undefined. */
export function parseVersion(text: string): Version | undefined {
  const match = FULL.exec(text);
  if (match === null) return undefined;
  const prerelease = match[4] === undefined ? [] : match[4].split(".");
  if (prerelease.some((part) => part === "" || /^0[0-9]+$/.test(part))) return undefined;
  return { numbers: [Number(match[1]), Number(match[2]), Number(match[3])], prerelease };
}

/** Below 0 when `a` comes before `b`. A prerelease comes before its release. */
export function compareVersions(a: Version, b: Version): number {
  for (const i of [0, 1, 2] as const) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] - b.numbers[i];
  }
  if (a.prerelease.length === 0 || b.prerelease.length === 0) {
    return b.prerelease.length - a.prerelease.length;
  }
  for (let i = 0; i < Math.max(a.prerelease.length, b.prerelease.length); i++) {
    const [left, right] = [a.prerelease[i], b.prerelease[i]];
    if (left === undefined) return -1;
    if (right === undefined) return 1;
    const order = comparePrerelease(left, right);
    if (order !== 0) return order;
  }
  return 0;
}

function comparePrerelease(a: string, b: string): number {
  const [aIsNumber, bIsNumber] = [/^[0-9]+$/.test(a), /^[0-9]+$/.test(b)];
  if (aIsNumber && bIsNumber) return Number(a) - Number(b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

type Comparator = readonly [operator: string, version: Version];

/** A range such as `>=0.1 <1`, or undefined. A bare version means just that one. */
export function parseRange(text: string): readonly Comparator[] | undefined {
  const comparators: Comparator[] = [];
  for (const part of text.trim().split(/\s+/)) {
    const match = COMPARATOR.exec(part);
    if (match === null) return undefined;
    const numbers = [match[2], match[3], match[4]].map((number) => Number(number ?? 0));
    comparators.push([match[1] ?? "=", {
      numbers: [numbers[0]!, numbers[1]!, numbers[2]!],
      prerelease: [],
    }]);
  }
  return comparators;
}

/** Whether a version lies in a range; false when either cannot be read. */
export function satisfies(version: string, range: string): boolean {
  const parsed = parseVersion(version);
  const comparators = parseRange(range);
  if (parsed === undefined || comparators === undefined) return false;
  return comparators.every(([operator, bound]) => {
    const order = compareVersions(parsed, bound);
    switch (operator) {
      case ">=":
        return order >= 0;
      case "<=":
        return order <= 0;
      case ">":
        return order > 0;
      case "<":
        return order < 0;
      default:
        return order === 0;
    }
  });
}
