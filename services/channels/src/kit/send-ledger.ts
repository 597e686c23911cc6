import { hash } from 'node:crypto';
import type { Bucket } from '@plexus/bus';
import type { SendError } from './channel-adapter.js';

/** How one attempt ended. */
export type SendResult = { readonly ok: true; readonly messageId?: string } | { readonly ok: false; readonly error: SendError };

/** What is known of one send in one place: on one account, or in a chat that several accounts share. */
export interface SendRecord {
  /** Message ids of the parts that the platform took; '' where it gave none. */
  readonly parts: readonly string[];
  readonly complete: boolean;
  /** Results by attempt, the last few. */
  readonly attempts: Readonly<Record<string, SendResult>>;
}

const NOTHING: SendRecord = { parts: [], complete: false, attempts: {} };
const REMEMBERED_ATTEMPTS = 20;
const MAX_RECENT = 5_000;

/**
 * What this adapter handed to its platform, kept in PLEXUS_CHANNEL_SENDS for a day. Written after each part, so that a repeated command
 * goes on where it stopped. Between the platform's answer and the write lies the only window in which a crash makes a part appear twice.
 */
export class SendLedger {
  /** Written through: what could not be stored yet is still known to this process. */
  private readonly recent = new Map<string, SendRecord>();

  constructor(
    private readonly bucket: Pick<Bucket, 'get' | 'put'>,
    private readonly role: string,
  ) {}

  async read(tenant: string, place: string, sendId: string): Promise<SendRecord> {
    const key = this.key(tenant, place, sendId);
    const known = this.recent.get(key);
    if (known !== undefined) return known;
    const entry = await this.bucket.get(key);
    return entry === undefined ? NOTHING : entry.json<SendRecord>();
  }

  /** Rejects when it could not be stored; this process knows it all the same. */
  async write(tenant: string, place: string, sendId: string, record: SendRecord): Promise<void> {
    const key = this.key(tenant, place, sendId);
    const attempts = Object.fromEntries(Object.entries(record.attempts).slice(-REMEMBERED_ATTEMPTS));
    const kept = { ...record, attempts };
    this.remember(key, kept);
    await this.bucket.put(key, kept);
  }

  private remember(key: string, record: SendRecord): void {
    this.recent.delete(key);
    this.recent.set(key, record);
    if (this.recent.size > MAX_RECENT) this.recent.delete(this.recent.keys().next().value as string);
  }

  private key(tenant: string, place: string, sendId: string): string {
    return `${this.role}.${tenant}.${hash('sha256', `${place}\n${sendId}`, 'base64url')}`;
  }
}
