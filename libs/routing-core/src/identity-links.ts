import { type Loose, lowered } from './normalise.js';
import type { IdentityLinks } from './routing-config.js';

/**
 * The canonical name of a peer, or undefined when no link names it. A bare id counts on every channel, `channel:id` on its own only.
 * The first hit in the order of the map wins; links are not followed further.
 */
export function linkedIdentity(links: IdentityLinks | null | undefined, channel: Loose, peerId: Loose): string | undefined {
  const id = lowered(peerId);
  if (!links || id === '') return undefined;
  const candidates = new Set([id]);
  const prefix = lowered(channel);
  if (prefix !== '') candidates.add(`${prefix}:${id}`);
  for (const [name, ids] of Object.entries(links)) {
    const canonical = name.trim();
    if (canonical === '' || !Array.isArray(ids)) continue;
    if (ids.some((linked: Loose) => candidates.has(lowered(linked)))) return canonical;
  }
  return undefined;
}
