import type { CodeSender } from '../application/channel-provider.js';
import type { PushBasis } from './part.js';

/** What proves contacts: sends over the same providers as deliveries do. */
export function codeSender(_basis: PushBasis): CodeSender {
  return { sendCode: async () => ({ kind: 'unconfigured', error: 'not_configured' }) };
}
