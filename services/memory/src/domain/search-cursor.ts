import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Position } from './ranking.js';

/** Where a search goes on: behind this hit, of this query, as it was believed at that time. */
export interface SearchCursor extends Position {
  /** Hash of everything that the order depends on. */
  readonly query: string;
  readonly asOf: number;
}

/** Signed with the tenant's key: a cursor of another tenant, or one that was made up, is none. */
export function encodeSearchCursor(cursor: SearchCursor, key: Uint8Array): string {
  const body = Buffer.from(JSON.stringify([cursor.rankScore, cursor.rrf, cursor.createdAt, cursor.id, cursor.query, cursor.asOf])).toString('base64url');
  return `${body}.${signature(body, key)}`;
}

export function decodeSearchCursor(text: string, key: Uint8Array): SearchCursor | undefined {
  const [body = '', given = ''] = text.split('.');
  const expected = Buffer.from(signature(body, key));
  const actual = Buffer.from(given);
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) return undefined;
  const [rankScore, rrf, createdAt, id, query, asOf] = JSON.parse(Buffer.from(body, 'base64url').toString()) as [
    number,
    number,
    number,
    string,
    string,
    number,
  ];
  return { rankScore, rrf, createdAt, id, query, asOf };
}

function signature(body: string, key: Uint8Array): string {
  return createHmac('sha256', key).update('search-cursor\0').update(body).digest('base64url');
}
