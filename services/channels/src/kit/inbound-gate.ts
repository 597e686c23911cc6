import type { Bus } from '@plexus/bus';
import { channelContracts, fromAdapter } from '@plexus/contracts';
import { AbortedError, PlexusError, toStorableText } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';
import { counter } from '@plexus/telemetry';
import type { ReceivedMessage, SendError } from './channel-adapter.js';

const MAX_TEXT = 100_000;
const MAX_RAW_BYTES = 16_384;

const received = counter('channelReceived');

export type AccountState = 'up' | 'degraded' | 'down';

/** Everything that an adapter says, under its own source token. Ids are made from what is said, so that saying it twice is one event. */
export class InboundGate {
  private readonly messageReceived;
  private readonly sendSucceeded;
  private readonly sendFailed;
  private readonly accountState;

  constructor(
    private readonly bus: Pick<Bus, 'publish'>,
    private readonly adapter: string,
    private readonly now: () => number,
    private readonly log: Logger,
  ) {
    this.messageReceived = fromAdapter(channelContracts.messageReceived, adapter);
    this.sendSucceeded = fromAdapter(channelContracts.sendSucceeded, adapter);
    this.sendFailed = fromAdapter(channelContracts.sendFailed, adapter);
    this.accountState = fromAdapter(channelContracts.accountState, adapter);
  }

  /** Stores one message. Rejects when it could not be stored: then the platform must not be told that it arrived. */
  async message(tenant: string, account: string, message: ReceivedMessage, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw AbortedError.from(signal);
    const { raw, ...fields } = message;
    const small = raw !== undefined && JSON.stringify(raw).length <= MAX_RAW_BYTES;
    const data = storable({ ...fields, account, text: message.text.slice(0, MAX_TEXT), ...(small && { raw }) });
    const id = `${account}/${message.chat.id}/${message.messageId}`.slice(0, 512);
    try {
      const { duplicate } = await this.bus.publish(this.messageReceived, { tenant, key: [account], data, id }, { signal });
      received.add(1, { adapter: this.adapter, outcome: duplicate ? 'duplicate' : 'stored' });
    } catch (error) {
      received.add(1, { adapter: this.adapter, outcome: 'error' });
      if (!(PlexusError.isPlexusError(error) && error.code === 'INVALID_REQUEST')) throw error;
      // No repetition can make it fit; holding it back would hold back everything behind it.
      this.log.error({ error, tenant, account, messageId: message.messageId }, 'a message does not fit the contract and is left out');
    }
  }

  async succeeded(tenant: string, outcome: { sendId: string; account: string; attempt: number; messageId?: string }): Promise<void> {
    const data = { ...outcome, at: this.time() };
    await this.bus.publish(this.sendSucceeded, { tenant, key: [outcome.sendId], data, id: `${outcome.sendId}/${outcome.attempt}/succeeded` });
  }

  async failed(tenant: string, outcome: { sendId: string; account: string; attempt: number; error: SendError }): Promise<void> {
    const data = { ...outcome, at: this.time() };
    await this.bus.publish(this.sendFailed, { tenant, key: [outcome.sendId], data, id: `${outcome.sendId}/${outcome.attempt}/failed` });
  }

  async state(tenant: string, account: string, state: AccountState, reason: string | undefined): Promise<void> {
    const data = { account, state, ...(reason !== undefined && { reason: reason.slice(0, 500) }), at: this.time() };
    await this.bus.publish(this.accountState, { tenant, key: [account], data });
  }

  private time(): string {
    return new Date(this.now()).toISOString();
  }
}

/** Everything with each text in a form that databases can hold. */
function storable<T>(value: T): T {
  if (typeof value === 'string') return toStorableText(value) as T;
  if (Array.isArray(value)) return value.map(storable) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, storable(inner)])) as T;
}
