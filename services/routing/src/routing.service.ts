import { BUCKETS, CONSUMERS } from '@plexus/contracts';
import type { ServiceDefinition } from '@plexus/service-kit';
import { routingConfig } from './config.js';
import { createRouting } from './routing.module.js';

/** What routing is called, what it must be given, and what must exist before it starts. */
export const routingService: ServiceDefinition<typeof routingConfig> = {
  name: 'routing',
  config: routingConfig,
  needs: {
    consumers: [
      CONSUMERS.routingSessionEnds,
      CONSUMERS.routingInbound,
      CONSUMERS.routingSendSucceeded,
      CONSUMERS.routingSendFailed,
      CONSUMERS.routingErase,
      CONSUMERS.routingErased,
      CONSUMERS.dlqAdvisories,
    ],
    streams: ['PLEXUS_EVT_SESSION', 'PLEXUS_IN', 'PLEXUS_EVT_USER', 'PLEXUS_EVT_ROUTING', 'PLEXUS_CMD_RUN', 'PLEXUS_CMD_CHANNEL', 'PLEXUS_DLQ'],
    buckets: [BUCKETS.config, BUCKETS.keys, BUCKETS.revocations],
  },
  create: createRouting,
};
