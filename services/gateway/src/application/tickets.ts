import { createHash, randomBytes } from 'node:crypto';
import { err, ok, type Result } from '@plexus/kernel';
import type { Credential } from '../domain/caller.js';
import type { AuthenticationFailure } from './authenticator.js';

/** What is kept of a ticket, under the hash of its text. */
export interface StoredTicket {
  readonly credential: Credential;
  /** The page that may use it; absent: any, and programs. */
  readonly origin?: string;
  /** Wall clock, ms. */
  readonly expiresAt: number;
}

/** Tickets that were not used yet, seen by every gateway. */
export interface TicketStore {
  keep(hash: string, ticket: StoredTicket): Promise<void>;
  /** Takes a ticket out. Of any number of takers, on any gateways, one gets it. */
  take(hash: string): Promise<StoredTicket | undefined>;
}

const LIFETIME_MS = 30_000;
const PREFIX = 'plxt_';
const RANDOM_BYTES = 32;

/**
 * One-time tickets for a browser's socket: it cannot set headers, and its page should not hold a long-lived token in a place from which a
 * socket is opened. A ticket is 256 random bits of which only the hash is kept; it lives 30 s and opens at most one connection.
 */
export class Tickets {
  constructor(
    private readonly store: TicketStore,
    /** Whether a credential was taken back since. */
    private readonly isWithdrawn: (credential: Credential) => boolean,
    private readonly now: () => number,
  ) {}

  /** Makes a ticket that stands for a credential, for at most as long as that lives. */
  async issue(credential: Credential, origin: string | undefined): Promise<{ readonly ticket: string; readonly expiresAt: number }> {
    const ticket = `${PREFIX}${randomBytes(RANDOM_BYTES).toString('base64url')}`;
    const expiresAt = Math.min(this.now() + LIFETIME_MS, credential.expiresAt ?? Number.POSITIVE_INFINITY);
    await this.store.keep(hashOf(ticket), { credential, expiresAt, ...(origin === undefined ? {} : { origin }) });
    return { ticket, expiresAt };
  }

  /** Uses it up, also when it turns out to be meant for another page or to be late. */
  async redeem(ticket: string, origin: string | undefined): Promise<Result<Credential, AuthenticationFailure>> {
    const stored = await this.store.take(hashOf(ticket));
    if (stored === undefined) return err('mismatch');
    if (stored.origin !== undefined && stored.origin !== origin) return err('mismatch');
    if (stored.expiresAt <= this.now()) return err('expired');
    return this.isWithdrawn(stored.credential) ? err('revoked') : ok(stored.credential);
  }
}

/** Whether a bearer is a ticket and nothing else. */
export function isTicket(bearer: string | undefined): bearer is string {
  return bearer?.startsWith(PREFIX) === true;
}

function hashOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}
