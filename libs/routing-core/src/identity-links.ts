import { type Loose, listOf, lowered } from './normalise.js';
import type { IdentityLinks } from './routing-config.js';

/** Linked id (bare or `channel:id`, lower case) → canonical name and its place in the map. */
export type LinkIndex = ReadonlyMap<string, { readonly name: string; readonly order: number }>;

/** Prepares identity links for lookups in constant time. Blank names, blank ids and values that are no lists are skipped. */
export function compileLinks(links: IdentityLinks | null | undefined): LinkIndex {
  const index = new Map<string, { name: string; order: number }>();
  if (links === null || typeof links !== 'object') return index;
  for (const [order, [written, ids]] of Object.entries(links).entries()) {
    const name = written.trim();
    if (name === '') continue;
    for (const linked of listOf(ids)) {
      const id = lowered(linked);
      if (id !== '' && !index.has(id)) index.set(id, { name, order });
    }
  }
  return index;
}

/** {@link linkedIdentity} on prepared links. `channel` and `peerId` must be trimmed and lower case. */
export function linkedName(links: LinkIndex, channel: string, peerId: string): string | undefined {
  if (links.size === 0 || peerId === '') return undefined;
  const bare = links.get(peerId);
  const prefixed = channel === '' ? undefined : links.get(`${channel}:${peerId}`);
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
