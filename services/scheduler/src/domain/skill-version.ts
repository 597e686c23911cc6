interface Parts {
  readonly numbers: readonly number[];
  readonly preRelease: readonly string[] | undefined;
}

function partsOf(version: string): Parts {
  const dash = version.indexOf('-');
  const core = dash < 0 ? version : version.slice(0, dash);
  return { numbers: core.split('.').map(Number), preRelease: dash < 0 ? undefined : version.slice(dash + 1).split('.') };
}

/** Orders versions as semver does: by their numbers, a pre-release below its release. Negative when `a` is the lower one. */
export function compareVersions(a: string, b: string): number {
  const [one, other] = [partsOf(a), partsOf(b)];
  for (const [index, number] of one.numbers.entries()) {
    const difference = number - (other.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  if (one.preRelease === undefined || other.preRelease === undefined) return Number(other.preRelease !== undefined) - Number(one.preRelease !== undefined);
  return comparePreReleases(one.preRelease, other.preRelease);
}

function comparePreReleases(a: readonly string[], b: readonly string[]): number {
  for (const [index, part] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (part === other) continue;
    const [isNumber, otherIsNumber] = [/^\d+$/.test(part), /^\d+$/.test(other)];
    if (isNumber && otherIsNumber) return Number(part) - Number(other);
    if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
    return part < other ? -1 : 1;
  }
  return a.length - b.length;
}

/** The highest of some things that have a version; undefined when there are none. */
export function highest<T extends { readonly version: string }>(things: readonly T[]): T | undefined {
  return things.reduce<T | undefined>((best, thing) => (best === undefined || compareVersions(thing.version, best.version) > 0 ? thing : best), undefined);
}
