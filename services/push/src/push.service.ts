import { CONSUMERS } from '@plexus/contracts';
import type { ServiceDefinition } from '@plexus/service-kit';
import { pushConfig } from './config.js';
import { createPush } from './push.module.js';

/** What push is called, what it is set with, and what it needs to find on the NATS side. */
export const pushService: ServiceDefinition<typeof pushConfig> = {
  name: 'push',
  config: pushConfig,
  needs: { consumers: [CONSUMERS.pushIn], streams: ['PLEXUS_IN', 'PLEXUS_EVT_PUSH'] },
  create: createPush,
};
