import { Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { ConsumerDefinition, RpcContract } from '@plexus/contracts';
import type { ConsumeOptions } from '../bus.js';
import type { ServeOptions } from '../rpc.js';

/** Injection token of the {@link Bus}. */
export const BUS = Symbol('plexus.bus');

/** Injects the bus: `constructor(@InjectBus() private readonly bus: Bus) {}`. */
export const InjectBus = (): ReturnType<typeof Inject> => Inject(BUS);

/** What the decorators leave at a method for the transport. */
export type PlexusBinding =
  | { readonly kind: 'rpc'; readonly contract: RpcContract; readonly options: ServeOptions }
  | { readonly kind: 'consume'; readonly definition: ConsumerDefinition; readonly options: ConsumeOptions };

/** Key of the binding in the extras that Nest hands to the transport. */
export const BINDING = 'plexusBinding';

/** The method answers this contract. Arguments: `@Payload()` the validated data, `@Ctx()` the {@link RpcContext}. */
export function Rpc(contract: RpcContract, options: ServeOptions = {}): MethodDecorator {
  const binding: PlexusBinding = { kind: 'rpc', contract, options };
  return MessagePattern(contract.pattern(), { [BINDING]: binding });
}

/** The method works through this durable consumer and returns an {@link Outcome}. Arguments: `@Payload()` the event's data, `@Ctx()` the {@link Delivery}. */
export function Consume(definition: ConsumerDefinition, options: ConsumeOptions = {}): MethodDecorator {
  const binding: PlexusBinding = { kind: 'consume', definition, options };
  return MessagePattern(`consumer:${definition.stream}/${definition.name}`, { [BINDING]: binding });
}
