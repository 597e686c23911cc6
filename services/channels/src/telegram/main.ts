import { runChannelAdapter } from '../kit/channel-service.js';
import { telegramAdapter } from './telegram.adapter.js';

await runChannelAdapter(telegramAdapter);
