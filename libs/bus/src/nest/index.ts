export { BusModule } from './bus.module.js';
export { BUS, Consume, InjectBus, Rpc } from './decorators.js';
export { PlexusExceptionFilter } from './plexus-exception-filter.js';
export { PlexusTransport } from './plexus-transport.js';
export { toPlexusError } from './to-plexus-error.js';
