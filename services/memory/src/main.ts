import 'reflect-metadata';
import { BUCKETS, CONSUMERS } from '@plexus/contracts';
import { runService } from '@plexus/service-kit';
import { memoryConfig } from './config.js';
import { createMemory } from './memory.module.js';

await runService({
  name: 'memory',
  config: memoryConfig,
  needs: {
    consumers: [CONSUMERS.memoryWrite],
    streams: ['PLEXUS_CMD_MEMORY', 'PLEXUS_EVT_MEMORY'],
    buckets: [BUCKETS.config, BUCKETS.keys, BUCKETS.revocations],
  },
  create: createMemory,
});
