import { runChannelAdapter } from '../kit/channel-service.js';
import { upstreamAdapter } from './upstream.adapter.js';

await runChannelAdapter(upstreamAdapter);
