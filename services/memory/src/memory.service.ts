import { CONSUMERS } from '@plexus/contracts';
import type { ServiceDefinition } from '@plexus/service-kit';
import { memoryConfig } from './config.js';
import { createMemory } from './memory.module.js';

/** What memory is called, what it is set with, and what it needs to find on the NATS side. */
export const memoryService: ServiceDefinition<typeof memoryConfig> = {
  name: 'memory',
  config: memoryConfig,
  needs: {
    consumers: [CONSUMERS.memoryWrite, CONSUMERS.memoryEmbed, CONSUMERS.memoryErase, CONSUMERS.memorySessions, CONSUMERS.memorySessionChanges],
    streams: ['PLEXUS_CMD_MEMORY', 'PLEXUS_EVT_MEMORY', 'PLEXUS_EVT_USER'],
  },
  create: createMemory,
};
