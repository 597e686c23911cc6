import { runService } from '@plexus/service-kit';
import { configSchema } from './config.js';
import { ChannelsModule } from './channels.module.js';

await runService({ name: 'channels', config: configSchema, needs: { consumers: [], streams: [], buckets: [] }, create: async () => ({ module: ChannelsModule }) });
