import { LIMITS } from '@plexus/vm-protocol/link';
import { WebSocket } from 'ws';
import type { LinkSocket } from './link-context.js';

/** A real WebSocket with the limits of the protocol. */
export function openSocket(url: string): LinkSocket {
  return new WebSocket(url, { maxPayload: LIMITS.frameBytes, perMessageDeflate: false, handshakeTimeout: LIMITS.authTimeoutMs });
}
