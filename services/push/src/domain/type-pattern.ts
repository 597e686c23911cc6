/**
 * True when an event type fits a pattern in which each `*` stands for any run of characters, dots included and also none.
 * Linear in practice and without regular expressions: patterns come from users.
 */
export function matchesTypePattern(pattern: string, type: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0] as string;
  if (pieces.length === 1) return first === type;
  const last = pieces[pieces.length - 1] as string;
  if (type.length < first.length + last.length || !type.startsWith(first) || !type.endsWith(last)) return false;
  let from = first.length;
  const end = type.length - last.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = type.indexOf(piece, from);
    if (found < 0 || found + piece.length > end) return false;
    from = found + piece.length;
  }
  return true;
}
