/** Where a listing goes on: behind this memory, newest first. */
export interface ListPosition {
  readonly createdAt: number;
  readonly id: string;
}

/** Opaque to callers; holds nothing that the listing did not show. */
export function encodeCursor({ createdAt, id }: ListPosition): string {
  return Buffer.from(`${createdAt}.${id}`).toString('base64url');
}

/** Undefined for anything that {@link encodeCursor} did not write. */
export function decodeCursor(cursor: string): ListPosition | undefined {
  const match = /^(\d{1,15})\.(mem_[0-9a-z]{1,60})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'));
  return match === null ? undefined : { createdAt: Number(match[1]), id: match[2] as string };
}
