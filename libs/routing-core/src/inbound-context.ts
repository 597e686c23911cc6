import { type Loose, lowered, normaliseMainKey, trimmed } from './normalise.js';
import { mainSessionKey } from './session-key.js';
import { defaultGrammars } from './target-registry.js';

/** The envelope of a message as channel gateways write it. */
export interface InboundContext {
  /** A key that the sender names itself; it wins. */
  readonly SessionKey?: Loose;
  readonly From?: Loose;
  readonly ChatType?: Loose;
  /** The channel, where `From` does not say it. */
  readonly Provider?: Loose;
}

/** The group or channel that a message was written in. */
export interface GroupSession {
  /** `<channel>:<group or channel>:<id>`, without the agent. */
  readonly key: string;
  readonly channel: string;
  readonly id: string;
  readonly chatType: 'group' | 'channel';
}

/** Channels without targets of their own that an envelope may come from. */
const FURTHER_CHANNELS = ['webchat', 'line', 'irc', 'twitch'];
export const KNOWN_CHANNELS: ReadonlySet<string> = new Set([...defaultGrammars.channels, ...FURTHER_CHANNELS]);

const WHATSAPP_GROUP = '@g.us';
const asGroupKind = (word: string | undefined): 'group' | 'channel' | undefined => (word === 'group' || word === 'channel' ? word : undefined);

/**
 * The group conversation that an envelope describes; undefined for direct messages and for envelopes without an origin. `known` are the
 * channels whose name may start `From`; anything else there belongs to the id.
 */
export function groupSession(context: InboundContext, known: ReadonlySet<string> = KNOWN_CHANNELS): GroupSession | undefined {
  const from = lowered(context.From);
  const chatType = asGroupKind(lowered(context.ChatType));
  const isJid = from.endsWith(WHATSAPP_GROUP);
  if (from === '' || (chatType === undefined && !from.includes(':group:') && !from.includes(':channel:') && !isJid)) return undefined;
  const [head = '', ...rest] = from.split(':').filter((segment) => segment !== '');
  const provider = lowered(context.Provider);
  const startsWithChannel = rest.length > 0 && (known.has(head) || head === provider);
  const channel = startsWithChannel ? head : isJid ? 'whatsapp' : provider;
  if (channel === '') return undefined;
  if (!startsWithChannel) return group(channel, chatType ?? 'group', from);
  const named = asGroupKind(rest[0]);
  const id = rest.slice(named && rest.length > 1 ? 1 : 0).join(':');
  return group(channel, named ?? chatType ?? 'group', id);
}

function group(channel: string, chatType: 'group' | 'channel', id: string): GroupSession {
  return { key: `${channel}:${chatType}:${id}`, channel, id, chatType };
}

/**
 * The session that an envelope belongs to: the key it names, else `global` where one session is shared, else its group's, else the
 * agent's main one. Absent agent: `main`.
 */
export function contextSessionKey(input: { context: InboundContext; scope?: string | null | undefined; mainKey?: Loose; agentId?: Loose }): string {
  const named = lowered(input.context.SessionKey);
  if (named !== '') return named;
  if (input.scope === 'global') return 'global';
  const found = groupSession(input.context);
  const main = mainSessionKey(trimmed(input.agentId) || 'main', normaliseMainKey(input.mainKey));
  return found ? `${main.slice(0, main.indexOf(':', 'agent:'.length))}:${found.key}` : main;
}
