import { runChannelAdapter } from '../kit/channel-service.js';
import { slackAdapter } from './slack.adapter.js';

await runChannelAdapter(slackAdapter);
