import type { DynamicModule } from '@nestjs/common';
import { type CustomTransportStrategy, Server } from '@nestjs/microservices';
import type { Bus } from '../bus.js';

export { BUS, Consume, InjectBus, Rpc } from './decorators.js';

/** Transport strategy: `NestFactory.createMicroservice(module, { strategy: new PlexusTransport(bus) })`. Does not close the bus. */
export declare abstract class PlexusTransport extends Server implements CustomTransportStrategy {
  constructor(bus: Bus);
  listen(callback: (error?: unknown) => void): void;
  close(): Promise<void>;
}

/** Global module: provides {@link BUS} and maps exceptions to stable error codes. Import it once beside the application module. */
export declare class BusModule {
  static forRoot(bus: Bus): DynamicModule;
}
