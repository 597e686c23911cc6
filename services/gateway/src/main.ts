import 'reflect-metadata';
import { BUCKETS } from '@plexus/contracts';
import { runService } from '@plexus/service-kit';
import { gatewayConfig } from './config.js';
import { createGateway } from './gateway.module.js';

await runService({
  name: 'gateway',
  version: '0.1.0',
  config: gatewayConfig,
  needs: { streams: ['PLEXUS_EVT_SESSION', 'PLEXUS_IN'], buckets: [BUCKETS.vmEpoch] },
  create: createGateway,
});
