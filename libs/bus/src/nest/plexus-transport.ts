import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { plexusError } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Bus } from '../bus.js';
import type { Delivery, Outcome } from '../delivery.js';
import type { RpcContext } from '../rpc.js';
import { BINDING, type PlexusBinding } from './decorators.js';
import { toPlexusError } from './to-plexus-error.js';

const FLUSH_TIMEOUT_MS = 5_000;

interface Stoppable {
  stop(): Promise<void>;
}

/**
 * Transport strategy: `NestFactory.createMicroservice(module, { strategy: new PlexusTransport(bus) })`. Handlers are looked up once, when
 * listening starts; each becomes a `serve` or a `consume` of the bus, so guards, pipes, interceptors and filters run and nothing else of
 * Nest's transports does. The bus belongs to whoever made it: `close` stops the handlers, not the connection.
 */
export class PlexusTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = Symbol('plexus');
  private readonly running: Stoppable[] = [];

  constructor(private readonly bus: Bus) {
    super();
  }

  /** Calls back when the server knows every subscription: from then on callers find this service. */
  override listen(callback: (error?: unknown) => void): void {
    this.startAll().then(() => callback(), callback);
  }

  private async startAll(): Promise<void> {
    for (const [pattern, handler] of this.messageHandlers) this.running.push(this.start(pattern, handler));
    await timeout(this.bus.connection.flush(), FLUSH_TIMEOUT_MS, { what: 'flush of the subscriptions' });
  }

  override async close(): Promise<void> {
    await Promise.all(this.running.splice(0).map((running) => running.stop()));
  }

  /** The bus reports its own state; there are no events to subscribe to. */
  override on(): never {
    throw plexusError('METHOD_NOT_FOUND', { message: 'The Plexus transport has no events; use the bus.' });
  }

  override unwrap<T>(): T {
    return this.bus as T;
  }

  private start(pattern: string, handler: MessageHandler): Stoppable {
    const binding = (handler.extras as Record<string, PlexusBinding> | undefined)?.[BINDING];
    if (binding === undefined) throw new TypeError(`the handler of ${pattern} was not declared with @Rpc or @Consume`);
    if (binding.kind === 'rpc') return this.bus.serve(binding.contract, (data, context) => run(handler, data, context) as never, binding.options);
    return this.bus.consume(binding.definition, (delivery) => run(handler, delivery.data, delivery) as Promise<Outcome>, binding.options);
  }
}

/** Runs Nest's pipeline. What its exception layer emits (plain objects, RpcExceptions' payloads) becomes a PlexusError. */
function run(handler: MessageHandler, data: unknown, context: RpcContext | Delivery): Promise<unknown> {
  // Nest's own wrapper is async: it never throws synchronously.
  return (handler(data, context) as Promise<unknown>).then(settle, rethrow);
}

/** Interceptors and filters answer with an Observable; a handler without them answers with its own value. */
function settle(result: unknown): unknown {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }).catch(rethrow) : result;
}

function rethrow(error: unknown): never {
  throw toPlexusError(error);
}
