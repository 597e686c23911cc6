import { CONSUMERS } from '@plexus/contracts';
import type { ServiceDefinition } from '@plexus/service-kit';
import { pushConfig } from './config.js';
import { createPush } from './push.module.js';

/** What push is called, what it is set with, and what it needs to find on the NATS side. */
export const pushService: ServiceDefinition<typeof pushConfig> = {
  name: 'push',
  config: pushConfig,
  needs: {
    consumers: [
      CONSUMERS.pushIn,
      CONSUMERS.pushVmEvents,
      CONSUMERS.pushRoutingEvents,
      CONSUMERS.pushMemoryEvents,
      CONSUMERS.pushConfigEvents,
      CONSUMERS.pushDeliver,
      CONSUMERS.pushErase,
    ],
    streams: ['PLEXUS_IN', 'PLEXUS_PUSH_LOG', 'PLEXUS_CMD_PUSH', 'PLEXUS_EVT_PUSH', 'PLEXUS_EVT_USER'],
  },
  create: createPush,
};
