import { errors } from '@plexus/contracts';
import type { Caller } from '../domain/access.js';
import { isIdentifier } from '../domain/memory-text.js';

const MAX_OWNER_BYTES = 512;

/** Whose things a caller means: its own, or those it names where it may act for others. FORBIDDEN or INVALID_REQUEST otherwise. */
export function ownerFor(caller: Caller, named: string | undefined): string {
  const owner = named ?? caller.user;
  if (owner === undefined) throw errors.create('INVALID_REQUEST', { message: 'The credential names no user, so the owner must be given.' });
  if (owner !== caller.user && !caller.privileged) throw errors.create('FORBIDDEN', { message: "These are another user's." });
  if (isIdentifier(owner, MAX_OWNER_BYTES)) return owner;
  const message = `must be well-formed Unicode without U+0000, at most ${MAX_OWNER_BYTES} bytes of UTF-8`;
  throw errors.create('INVALID_REQUEST', { details: { issues: [{ path: 'owner', message }] } });
}
