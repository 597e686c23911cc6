import { PrivateAddressError } from '@plexus/service-kit';
import type { SendOutcome } from '../../application/channel-provider.js';

const CODE = /^[A-Z][A-Z0-9_]{2,40}$/;

/** What a request that got no answer means. Only codes are kept: messages may quote addresses and what was sent. */
export function networkFault(error: unknown): SendOutcome {
  for (let one = error, depth = 0; typeof one === 'object' && one !== null && depth < 8; one = (one as { cause?: unknown }).cause, depth += 1) {
    if (one instanceof PrivateAddressError) return { kind: 'refused', error: 'address_not_allowed' };
    const { code } = one as { code?: unknown };
    if (typeof code === 'string' && CODE.test(code)) return { kind: 'retry', error: code.toLowerCase(), endpointFault: true };
  }
  return { kind: 'retry', error: 'connection_failed', endpointFault: true };
}
