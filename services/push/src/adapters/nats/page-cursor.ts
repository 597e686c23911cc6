import { invalid } from '../../application/managing/invalid.js';

type Part = string | number;

/** Reads what {@link pageOf} wrote; undefined = from the beginning. Throws INVALID_REQUEST for anything else. */
export function readCursor(cursor: string | undefined, types: readonly ('string' | 'number')[]): Part[] | undefined {
  if (cursor === undefined) return undefined;
  const parts = parsed(cursor);
  if (!Array.isArray(parts) || parts.length !== types.length || !parts.every((part, place) => typeof part === types[place])) {
    throw invalid({ path: 'cursor', message: 'is none that a page came with' });
  }
  return parts as Part[];
}

/** Of `limit + 1` rows the page, and how to go on when there are more. */
export function pageOf<T>(rows: readonly T[], limit: number, placeOf: (last: T) => readonly Part[]): { items: T[]; nextCursor?: string } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  if (rows.length <= limit || last === undefined) return { items };
  return { items, nextCursor: Buffer.from(JSON.stringify(placeOf(last))).toString('base64url') };
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    // Not JSON: not one of ours, which the caller says.
    return undefined;
  }
}
