import { isStorableText } from '@plexus/kernel';
import { invalid } from '../../application/managing/invalid.js';

/** Of a Date. */
const LAST_INSTANT = 8.64e15;

type Part = string | number;

/** Reads what {@link pageOf} wrote; undefined = from the beginning. Throws INVALID_REQUEST for anything else. */
export function readCursor(cursor: string | undefined, types: readonly ('string' | 'number')[]): Part[] | undefined {
  if (cursor === undefined) return undefined;
  const parts = parsed(cursor);
  if (!Array.isArray(parts) || parts.length !== types.length || !parts.every((part, place) => typeof part === types[place] && isUsable(part))) {
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

/** Whatever a client made of it, the database can compare with it: text that can be stored, and instants that exist. */
function isUsable(part: Part): boolean {
  return typeof part === 'string' ? isStorableText(part) : Number.isInteger(part) && Math.abs(part) <= LAST_INSTANT;
}

function parsed(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    // Not JSON: not one of ours, which the caller says.
    return undefined;
  }
}
