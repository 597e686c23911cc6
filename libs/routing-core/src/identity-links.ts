import { type Loose, listOf, lowered } from './normalise.js';
import type { IdentityLinks } from './routing-config.js';

interface Link {
  readonly name: string;
  /** Place in the map; the lowest wins. */
  readonly order: number;
}

/** Identity links, ready for lookups in constant time. */
export interface LinkIndex {
  readonly size: number;
  /** By the whole entry: an id that counts on every channel. */
  readonly bare: ReadonlyMap<string, Link>;
  /** By channel, then id: every way in which an entry splits into both. */
  readonly byChannel: ReadonlyMap<string, ReadonlyMap<string, Link>>;
}

/** Prepares identity links. Blank names, blank ids and values that are no lists are skipped. */
export function compileLinks(links: IdentityLinks | null | undefined): LinkIndex {
  const bare = new Map<string, Link>();
  const byChannel = new Map<string, Map<string, Link>>();
  const entries = links === null || typeof links !== 'object' ? [] : Object.entries(links);
  for (const [order, [written, ids]] of entries.entries()) {
    const name = written.trim();
    if (name === '') continue;
    for (const linked of listOf(ids)) {
      const id = lowered(linked);
      if (id === '' || bare.has(id)) continue;
      const link = { name, order };
      bare.set(id, link);
      for (let at = id.indexOf(':'); at > 0; at = id.indexOf(':', at + 1)) {
        const channel = id.slice(0, at);
        const ofChannel = byChannel.get(channel) ?? new Map<string, Link>();
        byChannel.set(channel, ofChannel.set(id.slice(at + 1), link));
      }
    }
  }
  return { size: bare.size, bare, byChannel };
}

/** {@link linkedIdentity} on prepared links. `channel` and `peerId` must be trimmed and lower case. */
export function linkedName(links: LinkIndex, channel: string, peerId: string): string | undefined {
  if (links.size === 0 || peerId === '') return undefined;
  const bare = links.bare.get(peerId);
  const prefixed = links.byChannel.get(channel)?.get(peerId);
  if (bare === undefined || prefixed === undefined) return (bare ?? prefixed)?.name;
  return bare.order <= prefixed.order ? bare.name : prefixed.name;
}

/**
 * The canonical name of a peer, or undefined when no link names it. A bare id counts on every channel, `channel:id` on its own only.
 * The first hit in the order of the map wins; links are not followed further.
 */
export function linkedIdentity(links: IdentityLinks | null | undefined, channel: Loose, peerId: Loose): string | undefined {
  return linkedName(compileLinks(links), lowered(channel), lowered(peerId));
}
