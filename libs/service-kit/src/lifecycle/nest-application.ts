import 'reflect-metadata';
import { type DynamicModule, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BusModule, PlexusTransport } from '@plexus/bus/nest';
import { NestLogger } from '../log/nest-logger.js';
import { CLOCK, SERVICE_CONTEXT, type ServiceContext, type ServiceParts } from '../service-context.js';

/** Makes the context injectable everywhere in a service. */
@Module({})
class ServiceRoot {
  static around(parts: ServiceParts, context: ServiceContext<never>): DynamicModule {
    const providers = [
      { provide: SERVICE_CONTEXT, useValue: context },
      { provide: CLOCK, useValue: context.clock },
    ];
    return { module: ServiceRoot, global: true, imports: [BusModule.forRoot(context.bus), parts.module], providers, exports: providers };
  }
}

/** Builds the Nest application around a service's module; its handlers run once `listen()` was awaited. Rejects instead of ending the process. */
export function createNestApplication(parts: ServiceParts, context: ServiceContext<never>): Promise<INestMicroservice> {
  return NestFactory.createMicroservice(ServiceRoot.around(parts, context), {
    strategy: new PlexusTransport(context.bus),
    logger: new NestLogger(context.log.child({ part: 'nest' })),
    abortOnError: false,
  });
}
