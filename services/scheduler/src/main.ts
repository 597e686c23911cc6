import 'reflect-metadata';
import { BUCKETS, CONSUMERS } from '@plexus/contracts';
import { runService } from '@plexus/service-kit';
import { schedulerConfig } from './config.js';
import { createScheduler } from './scheduler.module.js';

await runService({
  name: 'scheduler',
  config: schedulerConfig,
  needs: {
    consumers: [CONSUMERS.schedulerRun, CONSUMERS.schedulerSessionEnds, CONSUMERS.schedulerSessionChanges, CONSUMERS.schedulerErase],
    streams: ['PLEXUS_EVT_VM', 'PLEXUS_EVT_SESSION', 'PLEXUS_EVT_USER', 'PLEXUS_CMD_MEMORY'],
    buckets: [BUCKETS.config, BUCKETS.keys, BUCKETS.revocations, BUCKETS.vmEpoch, BUCKETS.skills],
  },
  create: createScheduler,
});
