import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Bus } from '../bus.js';
import { BUS } from './decorators.js';
import { PlexusExceptionFilter } from './plexus-exception-filter.js';

/** Global module: provides {@link BUS} and maps exceptions to stable error codes. Import it once beside the application's module. */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest names a module by its class
export class BusModule {
  static forRoot(bus: Bus): DynamicModule {
    return {
      module: BusModule,
      global: true,
      providers: [
        { provide: BUS, useValue: bus },
        { provide: APP_FILTER, useClass: PlexusExceptionFilter },
      ],
      exports: [BUS],
    };
  }
}
