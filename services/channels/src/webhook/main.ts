import { runChannelAdapter } from '../kit/channel-service.js';
import { webhookAdapter } from './webhook.adapter.js';

await runChannelAdapter(webhookAdapter);
