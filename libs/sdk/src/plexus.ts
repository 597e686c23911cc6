import { type Bus, type Consumption, connectBus, type Delivery, type Outcome } from '@plexus/bus';
import {
  type Contract,
  type DataOf,
  type EventContract,
  type InboundContract,
  type InputOf,
  integratorConsumer,
  integratorInbox,
  isTenantId,
  plexusError,
  type ResponseOf,
  type RpcContract,
} from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { EventSubscription, type SubscriptionOptions } from './event-subscription.js';
import type { ConnectOptions, TokenSource } from './options.js';
import { extensionsOf, foreignContract, type OutgoingEvent } from './outgoing-event.js';

/** Receipt of a stored event. */
export interface Stored {
  readonly id: string;
  readonly stream: string;
  readonly seq: number;
  /** True when the stream had this event already. */
  readonly duplicate: boolean;
}

export interface CallOptions {
  /** Default: the contract's own limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Instead of the connection's token: on whose behalf this call is made. */
  readonly token?: TokenSource;
}

export interface ConsumeOptions {
  /** Handlers at the same time. Default 16. */
  readonly concurrency?: number;
}

/** A fact read through a durable consumer. It may come again: use `event.id` as the key of what you do with it. */
export type StoredEvent<C extends EventContract = EventContract> = Delivery<DataOf<C>>;

/**
 * Connects to the mesh as an integrator: one source of one tenant. Rejects with UNAVAILABLE when NATS cannot be reached in time, and with
 * INVALID_REQUEST when tenant or source are not subject tokens.
 */
export async function connectPlexus(options: ConnectOptions): Promise<Plexus> {
  const { tenant, source, credentials, connectTimeoutMs, log } = options;
  for (const [what, token] of Object.entries({ tenant, source })) {
    if (!isTenantId(token)) throw plexusError('INVALID_REQUEST', { message: `The ${what} ${JSON.stringify(token)} is not a subject token.` });
  }
  const bus = await connectBus({
    service: source,
    servers: options.servers,
    inboxPrefix: options.inboxPrefix ?? integratorInbox(tenant, source),
    ...(credentials && { credentials }),
    ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
    ...(log && { log }),
  });
  return new Plexus(bus, tenant, source, options.token);
}

/** An integrator's connection. It repairs itself for ever; `close` ends it. */
export class Plexus {
  private readonly subscriptions = new Set<EventSubscription<EventContract>>();
  /** Domains that are read through a durable consumer. */
  private readonly consumed = new Set<string>();

  constructor(
    private readonly bus: Bus,
    readonly tenant: string,
    readonly source: string,
    private readonly token: TokenSource | undefined,
  ) {}

  /** Whether the connection is up at this moment. */
  get connected(): boolean {
    return this.bus.isConnected();
  }

  /**
   * Publishes an event under `plexus.in.<tenant>.<source>.<name>.v1.<key>` and resolves when the stream has stored it. Tried again under
   * the same id while the server is away, at most `timeoutMs` (default 5,000). Rejects with INVALID_REQUEST, PAYLOAD_TOO_LARGE, FORBIDDEN
   * (not this source's or tenant's subject), TIMEOUT or UNAVAILABLE.
   * @param event a name (`contact-updated`), or the contract of a foreign event that Plexus understands.
   */
  publish(event: string, input: OutgoingEvent, o?: { readonly timeoutMs?: number; readonly signal?: AbortSignal }): Promise<Stored>;
  publish<C extends InboundContract>(
    event: C,
    input: OutgoingEvent<InputOf<C>>,
    o?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<Stored>;
  async publish(
    event: string | InboundContract,
    input: OutgoingEvent<unknown>,
    o: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<Stored> {
    const contract = typeof event === 'string' ? foreignContract(this.source, event, input.type) : event;
    const id = input.id ?? ulid();
    const { stream, seq, duplicate } = await this.bus.publish(
      contract,
      {
        tenant: this.tenant,
        key: typeof input.key === 'string' ? [input.key] : input.key,
        data: input.data as never,
        id,
        source: `/${this.source}`,
        sourceToken: this.source,
        extensions: extensionsOf(input),
        ...(input.time !== undefined && { time: input.time }),
      },
      o,
    );
    return { id, stream, seq, duplicate };
  }

  /** Facts of this tenant as they happen, at most once: `for await (const { data } of plexus.subscribe(contract))`. */
  subscribe<C extends EventContract>(contract: C, options: SubscriptionOptions = {}): EventSubscription<C> {
    if (contract.kind !== 'evt') throw plexusError('INVALID_REQUEST', { message: `${contract.type} is no fact; only those are subscribed to.` });
    const wire = this.bus.connection.subscribe(contract.pattern(this.tenant), {
      callback: (error, message) => {
        if (error) subscription.stop(plexusError('FORBIDDEN', { message: `This credential may not read ${contract.type}.`, cause: error }));
        else subscription.accept(message.subject, message.data);
      },
    });
    const subscription = new EventSubscription(contract, Math.max(1, options.capacity ?? 1_024), () => {
      this.subscriptions.delete(subscription as never);
      if (!this.bus.connection.isClosed()) wire.unsubscribe();
    });
    this.subscriptions.add(subscription as never);
    return subscription;
  }

  /**
   * Reads facts of one domain at least once, across restarts of this program, through the durable consumer that an operator made for this
   * integrator (`plexus integrator consumer <source> <domain>`). Replicas that call it share the work, so all of them must name the same
   * contracts: other facts of the domain count as read. A handler that throws gets the event again later; after 20 tries it is parked as a
   * dead letter. Throws INVALID_REQUEST for contracts of several domains and CONFLICT when the domain is being read already.
   */
  consume<C extends EventContract>(
    contracts: readonly [C, ...C[]],
    handler: (event: StoredEvent<C>) => Promise<void>,
    options: ConsumeOptions = {},
  ): Consumption {
    const [{ domain }] = contracts;
    if (contracts.some((contract) => contract.domain !== domain || contract.kind !== 'evt')) {
      throw plexusError('INVALID_REQUEST', { message: 'One durable consumer reads the facts of one domain.' });
    }
    if (this.consumed.has(domain)) throw plexusError('CONFLICT', { message: `The facts of ${domain} are being read already: name all contracts at once.` });
    const settle = async (delivery: Delivery): Promise<Outcome> => {
      const { parsed } = delivery;
      if (parsed !== undefined && contracts.some((contract) => isOf(contract, parsed))) await handler(delivery as StoredEvent<C>);
      return { kind: 'done' };
    };
    const consumption = this.bus.consume(integratorConsumer(this.tenant, this.source, domain), settle, { ...options, contracts: [...contracts] });
    this.consumed.add(domain);
    return {
      get stats() {
        return consumption.stats;
      },
      stop: async () => {
        await consumption.stop();
        this.consumed.delete(domain);
      },
    };
  }

  /**
   * Asks a service and waits for its answer. Rejects with the service's own error code, NO_RESPONDERS (nobody is there: try later), TIMEOUT
   * (unknown outcome: repeat only what is idempotent), FORBIDDEN or UNAUTHENTICATED.
   */
  async call<C extends RpcContract>(rpc: C, data: InputOf<C>, options: CallOptions = {}): Promise<ResponseOf<C>> {
    const source = options.token ?? this.token;
    const token = typeof source === 'function' ? await source() : source;
    const { timeoutMs, signal } = options;
    return this.bus.call(rpc, this.tenant, data, {
      ...(token !== undefined && { token }),
      ...(timeoutMs !== undefined && { timeoutMs }),
      ...(signal && { signal }),
    });
  }

  /** Ends subscriptions, lets running handlers and publishes finish (bounded), and closes the connection. */
  async close(): Promise<void> {
    for (const subscription of [...this.subscriptions]) subscription.stop();
    await this.bus.drain();
  }
}

function isOf(contract: Contract, subject: { readonly domain: string; readonly name: string; readonly version: number }): boolean {
  return contract.domain === subject.domain && contract.name === subject.name && contract.version === subject.version;
}
