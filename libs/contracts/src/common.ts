import { z } from 'zod';

/** Lower-case ULID, 26 characters of Crockford base 32. */
export const Ulid = z.string().regex(/^[0-7][0-9a-hjkmnp-tv-z]{25}$/, { error: 'must be a lower-case ULID' });
/** ISO 8601 instant in UTC. */
export const Instant = z.iso.datetime({ offset: true });
/** Session key as people and channels know it, for example `agent:main:main`. */
export const SessionKey = z.string().trim().min(1).max(512);
/** Opaque user id. */
export const UserId = z.string().min(1).max(256);
export const IdempotencyKey = z.string().trim().min(1).max(256);
/** Fencing number of a VM incarnation; strictly growing across the cluster. */
export const Epoch = z.number().int().min(1);
/** Text of one message. Larger content travels as a reference. */
export const MessageText = z.string().min(1).max(200_000);
export const VmId = z.string().min(1).max(64);
