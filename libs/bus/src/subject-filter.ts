/** The narrowest pattern that covers all the given ones. One filter is all that a consumer may have on older servers. */
export function coveringFilter(filters: readonly string[]): string {
  const [first, ...rest] = filters.map((filter) => filter.split('.'));
  if (first === undefined) return '>';
  let cover = first;
  for (const other of rest) cover = coverOf(cover, other);
  return cover.join('.');
}

function coverOf(a: readonly string[], b: readonly string[]): string[] {
  const cover: string[] = [];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const left = a[index];
    const right = b[index];
    // `>` needs a token of its own, so where one filter ends the cover has to open one token earlier.
    if (left === undefined || right === undefined) return [...cover.slice(0, -1), '>'];
    if (left === '>' || right === '>') return [...cover, '>'];
    cover.push(left === right ? left : '*');
  }
  return cover;
}

/** True when a concrete subject matches a pattern with `*` and `>`. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (let index = 0; index < wanted.length; index += 1) {
    if (wanted[index] === '>') return tokens.length > index;
    if (index >= tokens.length) return false;
    if (wanted[index] !== '*' && wanted[index] !== tokens[index]) return false;
  }
  return wanted.length === tokens.length;
}
