import { createHash, timingSafeEqual } from 'node:crypto';
import { errors } from '@plexus/contracts';
import { type Clock, isStorableText } from '@plexus/kernel';
import { CodeAllowance } from '../../domain/managing/code-allowance.js';
import { type ContactChannel, readAddress } from '../../domain/managing/contact-address.js';
import type { CodeSender, SendOutcome } from '../channel-provider.js';
import type { Owner } from '../ports.js';
import { invalid, textIssues } from './invalid.js';

/** An address of a user. Instants in milliseconds. */
export interface StoredContact {
  readonly id: string;
  readonly user: string;
  readonly channel: ContactChannel;
  readonly address: string;
  /** Of webpush: `{keys: {p256dh, auth}}`. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly label: string;
  readonly createdAt: number;
  readonly verifiedAt?: number;
  readonly codeHash?: string;
  readonly codeExpiresAt?: number;
  /** Attempts with the code that is out. */
  readonly codeAttempts: number;
  /** Codes sent on the day of `codeSentAt`. */
  readonly codesSent: number;
  readonly codeSentAt?: number;
  readonly disabledReason?: string;
}

export interface ContactStore {
  list(owner: Owner): Promise<StoredContact[]>;
  /** In one transaction, alone for this user: shows all contacts, writes `next` (new or changed) or removes it. `decide` must be pure. */
  change<T>(
    owner: Owner,
    decide: (contacts: readonly StoredContact[]) => { readonly result: T; readonly next?: StoredContact; readonly remove?: string },
  ): Promise<T>;
}

export interface ContactDraft {
  readonly channel: ContactChannel;
  readonly address: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly label?: string;
}

const MAX_CONTACTS = 20;
const CODE_LIFE_MS = 15 * 60_000;
const CODE_PAUSE_MS = 60_000;
const DAY_MS = 86_400_000;
const CODES_A_DAY = 5;
const MAX_ATTEMPTS = 5;
const HOUR_MS = 3_600_000;

interface Added {
  readonly contact: StoredContact;
  readonly created: boolean;
  /** A code was made for it, and is to be sent. */
  readonly codeSent: boolean;
}

/**
 * Where people can be reached outside the inbox. An e-mail address or webhook is proven by a code that is sent to it; until then nothing
 * else is. A browser that subscribed gave its endpoint and keys itself, which nobody could guess: it needs no code.
 */
export class ManageContacts {
  constructor(
    private readonly store: ContactStore,
    private readonly codes: CodeSender,
    private readonly newId: () => string,
    private readonly newCode: () => string,
    private readonly clock: Pick<Clock, 'now'>,
    /** Of one replica: removing addresses and adding them again is no way around the limits that are kept with them. */
    private readonly allowance = new CodeAllowance({ perHour: 30, users: 10_000 }),
  ) {}

  /** The same address again answers with the contact that is there; without a code that still holds, it is sent a new one as far as the limits allow. */
  async add(owner: Owner, draft: ContactDraft): Promise<Added> {
    const read = readAddress(draft.channel, draft.address);
    if (!read.ok) throw invalid({ path: 'address', message: read.message });
    const issues = textIssues({ label: draft.label, address: read.address });
    if (issues.length > 0) throw invalid(...issues);
    const { channel, details, label = '' } = draft;
    const now = this.clock.now();
    const fresh: StoredContact = {
      ...{ id: `cnt_${this.newId()}`, user: owner.user, channel, address: read.address, details, label, createdAt: now, codeAttempts: 0, codesSent: 0 },
      ...(channel === 'webpush' ? { verifiedAt: now } : {}),
    };
    const code = this.newCode();
    const { contact, created, codeSent } = await this.store.change<Added>(owner, (contacts) => {
      const found = contacts.find((one) => one.channel === channel && one.address === read.address);
      if (found === undefined && contacts.length >= MAX_CONTACTS) throw errors.create('QUOTA_EXCEEDED', { details: { maxContacts: MAX_CONTACTS } });
      const known = found === undefined ? fresh : renewedContact(found, draft);
      const isProven = known.verifiedAt !== undefined || (known.codeExpiresAt ?? 0) > now;
      // In the same step: of several that add it at once, one sends the code.
      const contact = isProven ? known : issuedContact(known, hashOf(owner, known.id, code), now, dailyCodes(contacts, now));
      const result = { contact, created: found === undefined, codeSent: !isProven };
      return contact === found ? { result } : { result, next: contact };
    });
    if (!codeSent) return { contact, created, codeSent };
    const outcome = await this.#send(owner, contact, code);
    // What can never be proven is not kept.
    if (created && outcome.kind !== 'sent' && outcome.kind !== 'retry') await this.remove(owner, contact.id);
    requireSent(outcome, channel);
    return { contact, created, codeSent };
  }

  /** Sends a new code; the one before is void. Fails with RATE_LIMITED within a minute, or after five on one day. */
  async sendCode(owner: Owner, id: string): Promise<{ codeSent: boolean; expiresAt?: number }> {
    const code = this.newCode();
    const now = this.clock.now();
    const contact = await this.store.change<StoredContact | undefined>(owner, (contacts) => {
      const found = contacts.find((one) => one.id === id);
      if (found === undefined) throw errors.create('NOT_FOUND');
      if (found.verifiedAt !== undefined) return { result: undefined };
      const issued = issuedContact(found, hashOf(owner, id, code), now, dailyCodes(contacts, now));
      return { result: issued, next: issued };
    });
    if (contact === undefined) return { codeSent: false };
    requireSent(await this.#send(owner, contact, code), contact.channel);
    return { codeSent: true, expiresAt: contact.codeExpiresAt as number };
  }

  /** Fails with INVALID_REQUEST for a wrong or lapsed code, with RATE_LIMITED after five attempts with it. */
  async verify(owner: Owner, id: string, code: string): Promise<StoredContact> {
    const now = this.clock.now();
    const answer = await this.store.change<StoredContact | 'wrong' | 'spent'>(owner, (contacts) => {
      const found = contacts.find((one) => one.id === id);
      if (found === undefined) throw errors.create('NOT_FOUND');
      if (found.verifiedAt !== undefined) return { result: found };
      if (found.codeAttempts >= MAX_ATTEMPTS) return { result: 'spent' };
      if (!isRight(found, hashOf(owner, id, code), now)) return { result: 'wrong', next: { ...found, codeAttempts: found.codeAttempts + 1 } };
      const { codeHash: _hash, codeExpiresAt: _expiry, ...rest } = found;
      const verified = { ...rest, verifiedAt: now };
      return { result: verified, next: verified };
    });
    if (answer === 'spent') throw errors.create('RATE_LIMITED', { message: 'This code was tried too often; ask for a new one.' });
    if (answer === 'wrong') throw invalid({ path: 'code', message: 'is wrong or has lapsed; ask for a new one if it is older than 15 minutes' });
    return answer;
  }

  /** Oldest first. */
  async list(owner: Owner, channel?: ContactChannel): Promise<StoredContact[]> {
    return (await this.store.list(owner)).filter((one) => channel === undefined || one.channel === channel);
  }

  async remove(owner: Owner, id: string): Promise<boolean> {
    if (!isStorableText(id)) return false;
    return this.store.change<boolean>(owner, (contacts) => (contacts.some((one) => one.id === id) ? { result: true, remove: id } : { result: false }));
  }

  async #send(owner: Owner, { id, channel, address, details, codeExpiresAt }: StoredContact, code: string): Promise<SendOutcome> {
    const isAllowed = this.allowance.take(JSON.stringify([owner.tenant, owner.user]), this.clock.now());
    if (!isAllowed) throw errors.create('RATE_LIMITED', { details: { retryAfterMs: HOUR_MS } });
    return this.codes.sendCode({ ...owner, channel, target: { id, address, details }, code, expiresAt: codeExpiresAt as number });
  }
}

function requireSent(outcome: SendOutcome, channel: ContactChannel): void {
  if (outcome.kind === 'sent') return;
  const details = { channel, error: outcome.error };
  if (outcome.kind === 'unconfigured') throw errors.create('CHANNEL_NOT_CONFIGURED', { details });
  if (outcome.kind === 'retry') throw errors.create('UNAVAILABLE', { message: 'The code could not be sent now; ask for it again later.', details });
  throw errors.create('DELIVERY_FAILED', { message: 'The address does not take the code; check how it is written.', details });
}

/** A browser that subscribed again has new keys, and is there again. Any other address that was gone may be somebody else's by now: it is proven anew. */
function renewedContact(found: StoredContact, { channel, details, label }: ContactDraft): StoredContact {
  const named = label === undefined || label === found.label ? found : { ...found, label };
  const { disabledReason, ...rest } = named;
  if (channel !== 'webpush') {
    const { verifiedAt: _verified, ...unproven } = rest;
    return disabledReason === undefined ? named : unproven;
  }
  const same = disabledReason === undefined && JSON.stringify(sortedKeys(rest.details)) === JSON.stringify(sortedKeys(details));
  return same ? named : { ...rest, details };
}

function sortedKeys({ keys }: Readonly<Record<string, unknown>>): unknown[] {
  const { p256dh, auth } = (keys ?? {}) as { p256dh?: unknown; auth?: unknown };
  return [p256dh, auth];
}

/** How many codes all contacts of a user were sent lately: many addresses are no way around the limit of one. */
function dailyCodes(contacts: readonly StoredContact[], now: number): number {
  return contacts.reduce((sum, { codesSent, codeSentAt }) => sum + (codeSentAt !== undefined && now - codeSentAt < DAY_MS ? codesSent : 0), 0);
}

function issuedContact(found: StoredContact, codeHash: string, now: number, daily: number): StoredContact {
  const { codeSentAt = Number.NEGATIVE_INFINITY } = found;
  const sinceLast = now - codeSentAt;
  const sent = sinceLast < DAY_MS ? found.codesSent : 0;
  if (sinceLast < CODE_PAUSE_MS) throw errors.create('RATE_LIMITED', { details: { retryAfterMs: CODE_PAUSE_MS - sinceLast } });
  if (sent >= CODES_A_DAY || daily >= CODES_A_DAY * 4)
    throw errors.create('RATE_LIMITED', { details: { retryAfterMs: Math.max(DAY_MS - sinceLast, CODE_PAUSE_MS) } });
  return { ...found, codeHash, codeExpiresAt: now + CODE_LIFE_MS, codeAttempts: 0, codesSent: sent + 1, codeSentAt: now };
}

function isRight({ codeHash, codeExpiresAt = 0 }: StoredContact, given: string, now: number): boolean {
  return codeHash !== undefined && now < codeExpiresAt && timingSafeEqual(Buffer.from(codeHash), Buffer.from(given));
}

/** What is kept of a code: useless for another contact. */
function hashOf({ tenant, user }: Owner, id: string, code: string): string {
  return createHash('sha256')
    .update(JSON.stringify([tenant, user, id, code]))
    .digest('hex');
}
