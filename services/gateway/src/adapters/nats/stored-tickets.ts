import type { Bucket } from '@plexus/bus';
import { plexusError } from '@plexus/contracts';
import type { StoredTicket, TicketStore } from '../../application/tickets.js';

/** Tickets in PLEXUS_TICKETS, whose entries live 30 s. Taking one is a delete of the very revision that was read: one taker wins. */
export class StoredTickets implements TicketStore {
  private bucket: Bucket | undefined;

  start(bucket: Bucket): void {
    this.bucket = bucket;
  }

  async keep(hash: string, ticket: StoredTicket): Promise<void> {
    if ((await this.open().create(hash, ticket)) === undefined) throw plexusError('CONFLICT', { message: 'a ticket of this hash exists' });
  }

  async take(hash: string): Promise<StoredTicket | undefined> {
    const entry = await this.open().get(hash);
    if (entry === undefined) return undefined;
    return (await this.open().delete(hash, entry.revision)) ? entry.json<StoredTicket>() : undefined;
  }

  private open(): Bucket {
    if (this.bucket === undefined) throw plexusError('UNAVAILABLE', { message: 'the gateway is starting' });
    return this.bucket;
  }
}
