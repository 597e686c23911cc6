import { plexusError } from '@plexus/contracts';
import type { Audience } from '../nodes/local-nodes.js';
import type { Nodes } from '../nodes/nodes.js';
import type { Tenants } from '../ports.js';
import type { NodeBroadcasts } from './plugin-api.js';

/** Travels to the other gateways in one message of the bus. */
const MAX_PAYLOAD_CHARACTERS = 256 * 1024;
const EVENT = /^[\w.:-]{1,128}$/;

/** What plugins may tell nodes. Throws for an unknown tenant, a name that is none, and a payload that is too large or no JSON. */
export function nodeBroadcasts(nodes: Pick<Nodes, 'send'>, tenants: Pick<Tenants, 'has'>): NodeBroadcasts {
  const send = (tenant: string, audience: Audience, event: string, payload: unknown) => {
    if (!tenants.has(tenant)) throw plexusError('UNKNOWN_TENANT');
    if (typeof event !== 'string' || !EVENT.test(event)) throw plexusError('INVALID_REQUEST', { message: 'an event has a name of letters, digits and ._:-' });
    // An absent payload would leave this gateway as none and the others as null.
    const text = JSON.stringify(payload ?? {});
    if (text === undefined) throw plexusError('INVALID_REQUEST', { message: 'the payload is no JSON' });
    if (text.length > MAX_PAYLOAD_CHARACTERS) throw plexusError('PAYLOAD_TOO_LARGE');
    // Read back, so that every gateway writes the same bytes: what the others get is what JSON says of it, too.
    nodes.send(tenant, audience, event, JSON.parse(text));
  };
  return {
    sendToSession: ({ tenant, owner, sessionKey }, event, payload) => send(tenant, { kind: 'session', owner, sessionKey }, event, payload),
    sendToAllSubscribed: (tenant, event, payload) => send(tenant, { kind: 'subscribed' }, event, payload),
    sendToAllConnected: (tenant, event, payload) => send(tenant, { kind: 'connected' }, event, payload),
  };
}
