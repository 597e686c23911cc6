import { type Loose, lowered, trimmed, UNKNOWN_PART } from './normalise.js';
import { parseAgentKey } from './parse-session-key.js';

export type SessionKind = 'global' | 'unknown' | 'group' | 'direct';

/** What kind of conversation a stored key names; the entry's own chat type decides where it has one. */
export function sessionKind(sessionKey: Loose, entry?: { chatType?: string | null | undefined } | null): SessionKind {
  const key = trimmed(sessionKey);
  if (key === 'global' || key === UNKNOWN_PART) return key;
  if (entry?.chatType === 'group' || entry?.chatType === 'channel') return 'group';
  return key.includes(':group:') || key.includes(':channel:') ? 'group' : 'direct';
}

export interface GroupKey {
  readonly channel: string;
  readonly kind: 'group' | 'channel';
  readonly id: string;
}

/** Reads `[agent:<id>:]<channel>:<group|channel>:<id…>`; undefined for everything else. */
export function parseGroupKey(sessionKey: Loose): GroupKey | undefined {
  const [channel, kind, ...id] = (parseAgentKey(sessionKey)?.rest ?? trimmed(sessionKey)).split(':').filter((segment) => segment !== '');
  if (channel === undefined || id.length === 0 || (kind !== 'group' && kind !== 'channel')) return undefined;
  return { channel, kind, id: id.join(':') };
}

export type ToolSessionKind = 'main' | 'cron' | 'hook' | 'node' | 'group' | 'other';

/** Kind of a session as agent tools show it. Looks at the key as written: `agent:…:cron:…` is `other`. */
export function toolSessionKind(sessionKey: Loose, alias: string, mainKey: string): ToolSessionKind {
  const key = trimmed(sessionKey);
  if (key === alias || key === mainKey) return 'main';
  if (key.startsWith('cron:')) return 'cron';
  if (key.startsWith('hook:')) return 'hook';
  if (key.startsWith('node-') || key.startsWith('node:')) return 'node';
  return key.includes(':group:') || key.includes(':channel:') ? 'group' : 'other';
}

/** True when a word that could be a label or an id is meant as a session key. */
export function looksLikeSessionKey(value: Loose): boolean {
  const text = trimmed(value);
  if (['main', 'global', UNKNOWN_PART].includes(text)) return true;
  if (['agent:', 'cron:', 'hook:', 'node-', 'node:'].some((prefix) => text.startsWith(prefix))) return true;
  return text.includes(':group:') || text.includes(':channel:');
}

/** Chat type as far as the key tells. Understands old forms: WhatsApp group ids and Discord's `guild-…:channel-…`. */
export function chatTypeOfKey(sessionKey: Loose): 'direct' | 'group' | 'channel' | 'unknown' {
  const key = parseAgentKey(sessionKey)?.rest ?? lowered(sessionKey);
  const segments = key.split(':');
  if (segments.includes('group') || key.endsWith('@g.us')) return 'group';
  if (segments.includes('channel') || /(^|:)guild-[^:]+:channel-/.test(key)) return 'channel';
  return segments.includes('dm') || segments.includes('direct') ? 'direct' : 'unknown';
}
