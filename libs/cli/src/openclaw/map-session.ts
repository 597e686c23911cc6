import { toStorableText } from '@plexus/kernel';
import { normaliseAgentId, parseAgentKey } from '@plexus/routing-core';

/** An entry of a session store, as far as it is read. */
export interface StoredSession {
  /** The agent whose store it is. */
  readonly agentId: string;
  readonly sessionKey: string;
  readonly entry: Readonly<Record<string, unknown>>;
}

/** A session as the mesh takes it, without its messages. */
export interface MappedSession {
  readonly sessionKey: string;
  readonly agentId?: string;
  readonly label?: string;
  readonly displayName?: string;
  readonly chatType?: string;
  readonly channel?: string;
  readonly groupId?: string;
  readonly origin?: Readonly<Record<string, string>>;
  readonly lastRoute?: { readonly channel: string; readonly to: string; readonly accountId?: string; readonly threadId?: string };
}

const ORIGIN = ['label', 'provider', 'surface', 'chatType', 'from', 'to', 'accountId', 'threadId'] as const;

/** The key stays as it is; one without an agent is of the agent in whose store it stands. */
export function mapSession({ agentId, sessionKey, entry }: StoredSession): MappedSession {
  const delivery = Object(entry.deliveryContext) as Record<string, unknown>;
  const origin = Object(entry.origin) as Record<string, unknown>;
  const known = Object.assign({}, ...ORIGIN.map((name) => field(name, text(origin[name], 256)))) as Record<string, string>;
  const [channel, to] = [text(delivery.channel ?? entry.lastChannel, 64), text(delivery.to ?? entry.lastTo, 256)];
  const more = {
    ...field('accountId', text(delivery.accountId ?? entry.lastAccountId, 64)),
    ...field('threadId', text(delivery.threadId ?? entry.lastThreadId, 256)),
  };
  return {
    sessionKey,
    ...(parseAgentKey(sessionKey) === undefined ? { agentId } : {}),
    ...field('label', text(entry.label, 100)),
    ...field('displayName', text(entry.displayName ?? entry.subject, 200)),
    ...field('chatType', text(entry.chatType, 64)),
    ...field('channel', text(entry.channel ?? entry.provider, 64)),
    ...field('groupId', text(entry.groupId, 256)),
    ...(Object.keys(known).length === 0 ? {} : { origin: known }),
    ...(channel === undefined || to === undefined ? {} : { lastRoute: { channel, to, ...more } }),
  };
}

/** The agent that answers in a session. */
export function agentOfSession({ agentId, sessionKey }: StoredSession): string {
  return normaliseAgentId(parseAgentKey(sessionKey)?.agentId ?? agentId);
}

function text(value: unknown, most: number): string | undefined {
  const written = typeof value === 'number' ? String(value) : typeof value === 'string' ? value.trim() : '';
  return written === '' ? undefined : toStorableText(written.slice(0, most));
}

const field = <K extends string, V>(name: K, value: V | undefined): Partial<Record<K, V>> => (value === undefined ? {} : ({ [name]: value } as Record<K, V>));
