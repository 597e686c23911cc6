/** What was last said about a user and a scope, or about the scope itself (then `granted` means restricted). */
export interface Said {
  readonly granted: boolean;
  /** Milliseconds; absent = without end. */
  readonly until?: number;
  /** When it was said, in milliseconds, and its place among what was said at that moment. */
  readonly at: number;
  readonly seq: number;
  readonly by: string;
}

/** What is known of a scope, as far as one user is concerned. */
export interface KnownAccess {
  readonly scope?: Said;
  readonly user?: Said;
}

export interface AccessChange {
  /** Rows to be written; absent = as they were. */
  readonly scope?: Said;
  readonly user?: Said;
  /** What decisions have to know of. */
  readonly tell: readonly ('granted' | 'revoked' | 'restricted' | 'unrestricted')[];
}

/**
 * Folds one grant or revocation into what is known. The later word holds, in whatever order words arrive and however often: an old one
 * that comes late changes nothing. Any grant, also a late one, restricts a scope of which nothing else was said: from then on only
 * holders of grants may see it. A revocation restricts nothing, and the last one opens nothing.
 */
export function foldAccess({ scope, user }: KnownAccess, word: Said): AccessChange {
  const isNews = isLater(word, user);
  const changes = isNews && (user === undefined || user.granted !== word.granted || user.until !== word.until);
  const restricts = word.granted && scope === undefined;
  return {
    ...(isNews ? { user: word } : {}),
    ...(restricts ? { scope: { granted: true, at: word.at, seq: word.seq, by: word.by } } : {}),
    // The holder first: nobody is to be shut out of what he was just let into.
    tell: [...(changes ? [word.granted ? ('granted' as const) : ('revoked' as const)] : []), ...(restricts ? (['restricted'] as const) : [])],
  };
}

/** Folds the explicit word about a scope: it stands against later grants, until the next one. */
export function foldRestriction(scope: Said | undefined, word: Said): AccessChange {
  if (!isLater(word, scope)) return { tell: [] };
  const changes = (scope?.granted ?? false) !== word.granted;
  return { scope: word, tell: changes ? [word.granted ? 'restricted' : 'unrestricted'] : [] };
}

/** A word that is said now: later than everything that was said before, also by a clock that is ahead of ours. */
export function saidNow(last: Said | undefined, now: number): Pick<Said, 'at' | 'seq'> {
  if (last === undefined || last.at < now) return { at: now, seq: 0 };
  return { at: last.at, seq: last.seq + 1 };
}

function isLater(word: Said, known: Said | undefined): boolean {
  return known === undefined || word.at > known.at || (word.at === known.at && word.seq > known.seq);
}
