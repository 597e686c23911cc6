import 'reflect-metadata';
import { BUCKETS, CONSUMERS } from '@plexus/contracts';
import { runService } from '@plexus/service-kit';
import { pushConfig } from './config.js';
import { createPush } from './push.module.js';

await runService({
  name: 'push',
  config: pushConfig,
  needs: {
    consumers: [CONSUMERS.pushIn],
    streams: ['PLEXUS_IN', 'PLEXUS_EVT_PUSH'],
    buckets: [BUCKETS.config, BUCKETS.keys, BUCKETS.revocations],
  },
  create: createPush,
});
