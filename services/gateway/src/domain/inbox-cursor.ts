/** A place in a user's inbox: opaque to clients, `<epoch>:<offset>` for us. */
export interface InboxCursor {
  readonly epoch: string;
  readonly offset: number;
}

export function formatCursor(cursor: InboxCursor): string {
  return `${cursor.epoch}:${cursor.offset}`;
}

/** Reads a cursor; undefined when it is none of ours. */
export function parseCursor(text: string): InboxCursor | undefined {
  const match = /^([A-Za-z0-9_-]{1,64}):(0|[1-9][0-9]{0,14})$/.exec(text);
  return match === null ? undefined : { epoch: match[1] as string, offset: Number(match[2]) };
}

/** What a newly heard offset means to somebody who has everything up to `last`. */
export type HintVerdict = 'next' | 'known' | 'gap' | 'rebuilt';

/** A hint of another epoch means that the inbox was rebuilt; nothing of the old numbering holds any more. */
export function judgeHint(position: InboxCursor, hint: InboxCursor): HintVerdict {
  if (hint.epoch !== position.epoch) return 'rebuilt';
  if (hint.offset <= position.offset) return 'known';
  return hint.offset === position.offset + 1 ? 'next' : 'gap';
}

/** More than this is not replayed: the client gets a snapshot of the newest items instead. */
export const MAX_REPLAY = 2_000;

/** Whether a client that has everything up to `cursor` can be brought to the head item by item. Items up to `minOffset` are not kept any more. */
export function canResume(cursor: InboxCursor | undefined, head: InboxCursor, minOffset = 0): boolean {
  if (cursor === undefined || cursor.epoch !== head.epoch || cursor.offset < minOffset) return false;
  return cursor.offset <= head.offset && head.offset - cursor.offset <= MAX_REPLAY;
}
