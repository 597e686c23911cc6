import type { routingContracts } from '@plexus/contracts';

export type SessionOrigin = routingContracts.SessionOrigin;
export type LastRoute = routingContracts.LastRoute;

/** What a session knows of its conversation beside its messages; every field only as far as it was ever told. */
export interface SessionEntry {
  readonly chatType?: string | undefined;
  readonly channel?: string | undefined;
  readonly groupId?: string | undefined;
  readonly displayName?: string | undefined;
  readonly threadId?: string | undefined;
  readonly origin?: SessionOrigin | undefined;
  readonly lastRoute?: LastRoute | undefined;
}

/**
 * Merges what a message told into what is known: field by field, and only values that say something overwrite. A last route is one address and
 * is replaced as a whole, so that no message goes to the thread of another chat.
 */
export function mergeEntry(known: SessionEntry, told: SessionEntry): SessionEntry {
  const { origin, lastRoute, ...plain } = told;
  const merged: SessionEntry = { ...known, ...telling(plain) };
  const mergedOrigin = { ...known.origin, ...telling(origin ?? {}) };
  const route = lastRoute && isAddress(lastRoute) ? (telling(lastRoute) as LastRoute) : known.lastRoute;
  return {
    ...merged,
    ...(Object.keys(mergedOrigin).length === 0 ? {} : { origin: mergedOrigin }),
    ...(route === undefined ? {} : { lastRoute: route }),
  };
}

function nonBlank(text: string | undefined): string | undefined {
  const trimmed = text?.trim();
  return trimmed ? trimmed : undefined;
}

function isAddress(route: LastRoute): boolean {
  return nonBlank(route.channel) !== undefined && nonBlank(route.to) !== undefined;
}

/** The fields that say something. */
function telling<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => typeof value !== 'string' || value.trim() !== '')
      .filter(([, value]) => value != null),
  ) as Partial<T>;
}
