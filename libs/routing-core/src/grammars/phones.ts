import { phoneDigits } from '../session-key.js';
import { hasPrefix, malformedTarget, type ParsedTarget, phoneNumber, type TargetGrammar, withoutPrefix, withoutPrefixes } from '../target-grammar.js';

/** Channels whose people are phone numbers. */

function whatsappAddress(target: string): { kind: 'group' | 'dm'; id: string } | undefined {
  const bare = withoutPrefixes(target, 'whatsapp:');
  const group = /^(\d+(?:-\d+)*)@g\.us$/i.exec(bare)?.[1];
  if (group !== undefined) return { kind: 'group', id: `${group}@g.us` };
  const user = /^(\d+)(?::\d+)?@s\.whatsapp\.net$/i.exec(bare)?.[1] ?? /^(\d+)@lid$/i.exec(bare)?.[1];
  const phone = user === undefined ? (bare.includes('@') ? undefined : phoneNumber(bare)) : `+${user}`;
  return phone === undefined ? undefined : { kind: 'dm', id: phone };
}

/** WhatsApp: numbers in any writing, user addresses and group addresses; another address with `@` names nobody. */
export const whatsappGrammar: TargetGrammar = {
  channel: 'whatsapp',
  parse({ target }) {
    const address = whatsappAddress(target);
    return address && { kind: address.kind, peerId: address.id, from: address.id, to: address.id };
  },
  normalise: (target) => whatsappAddress(target)?.id,
};

const UUID = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})$/i;

type SignalAddress = { readonly kind: 'group' | 'uuid' | 'username' | 'phone'; readonly id: string };

function signalAddress(target: string): SignalAddress | undefined {
  const bare = withoutPrefix(target, 'signal:');
  const named = (kind: SignalAddress['kind'], id: string): SignalAddress | undefined => (id === '' ? undefined : { kind, id });
  if (hasPrefix(bare, 'group:')) return named('group', bare.slice('group:'.length).trim());
  for (const prefix of ['username:', 'u:']) if (hasPrefix(bare, prefix)) return named('username', bare.slice(prefix.length).trim());
  if (hasPrefix(bare, 'uuid:')) return named('uuid', bare.slice('uuid:'.length).trim());
  return UUID.test(bare) ? named('uuid', bare) : named('phone', phoneNumber(bare) ?? '');
}

/** Signal: numbers, uuids, `group:<id>` and `username:<name>`. A user name stays a name: it is no phone number. */
export const signalGrammar: TargetGrammar = {
  channel: 'signal',
  parse({ target }) {
    const address = signalAddress(target);
    if (!address) return undefined;
    const { kind, id } = address;
    if (kind === 'group') return { kind, peerId: id, from: `group:${id}`, to: `group:${id}` };
    const recipient = kind === 'username' ? `username:${id}` : id;
    return { kind: 'dm', peerId: kind === 'uuid' ? `uuid:${id}` : recipient, from: `signal:${recipient}`, to: `signal:${recipient}` };
  },
  normalise(target) {
    const address = signalAddress(target);
    return address && (address.kind === 'phone' || address.kind === 'uuid' ? address.id : `${address.kind}:${address.id}`).toLowerCase();
  },
};

export type ChatPrefix = 'chat_id' | 'chat_guid' | 'chat_identifier';
const CHAT_PREFIXES: readonly (readonly [string, ChatPrefix])[] = [
  ['chat_id:', 'chat_id'],
  ['chatid:', 'chat_id'],
  ['chat:', 'chat_id'],
  ['chat_guid:', 'chat_guid'],
  ['chatguid:', 'chat_guid'],
  ['guid:', 'chat_guid'],
  ['chat_identifier:', 'chat_identifier'],
  ['chatidentifier:', 'chat_identifier'],
  ['chatident:', 'chat_identifier'],
];

/** A conversation named by one of Apple's identifiers, in long or short form; undefined when the text names none. */
export function chatIdentifier(text: string): { readonly prefix: ChatPrefix; readonly id: string } | undefined {
  for (const [prefix, chat] of CHAT_PREFIXES) if (hasPrefix(text, prefix)) return { prefix: chat, id: text.slice(prefix.length).trim() };
  return undefined;
}

const SERVICES = ['imessage:', 'sms:', 'auto:'];

/** E-mail addresses lower case, numbers as `+digits`, other handles without blanks; undefined when nothing is left. */
export function appleHandle(text: string): string | undefined {
  const bare = withoutPrefixes(text, ...SERVICES);
  if (bare.includes('@')) return bare.toLowerCase();
  const dialled = bare.replace(/[\s().-]+/g, '');
  return /^\+?\d+$/.test(dialled) ? phoneNumber(dialled) : bare.replace(/\s+/g, '') || undefined;
}

/** iMessage: handles, and chats by `chat_id:`, `chat_guid:` or `chat_identifier:` (short forms too). A prefix without a target is refused. */
export const imessageGrammar: TargetGrammar = {
  channel: 'imessage',
  parse({ target }) {
    const bare = withoutPrefixes(target, ...SERVICES);
    if (bare === '') throw malformedTarget('imessage', target, 'The target is missing behind its prefix.', 'Write a number, an e-mail address or chat_id:<n>.');
    const chat = chatIdentifier(bare);
    if (!chat) {
      const handle = appleHandle(bare);
      return handle === undefined ? undefined : { kind: 'dm', peerId: handle, from: `imessage:${handle}`, to: `imessage:${handle}` };
    }
    if (chat.id === '' || (chat.prefix === 'chat_id' && !/^\d+$/.test(chat.id))) {
      throw malformedTarget('imessage', target, `This is no ${chat.prefix}.`, 'Write chat_id:<number>, chat_guid:<guid> or chat_identifier:<id>.');
    }
    return { kind: 'group', peerId: chat.id, from: `imessage:group:${chat.id}`, to: `${chat.prefix}:${chat.id}` };
  },
  normalise: appleTarget,
};

/** Handle or chat in one writing, with the service where one is named. */
export function appleTarget(target: string): string | undefined {
  const service = SERVICES.find((prefix) => hasPrefix(target, prefix)) ?? '';
  const bare = withoutPrefixes(target, ...SERVICES);
  const chat = chatIdentifier(bare);
  if (chat) return chat.id === '' ? undefined : `${chat.prefix}:${chat.id}`;
  const handle = appleHandle(bare);
  return handle === undefined ? undefined : `${service}${handle}`;
}

/** Phone calls: the number is the conversation, inbound and outbound, under every scope. */
export const voiceGrammar = (channel: 'voice' | 'voice-call'): TargetGrammar => ({
  channel,
  parse({ target }): ParsedTarget | undefined {
    const number = withoutPrefixes(target, 'voice-call:', 'voice:', 'tel:', 'user:');
    const digits = phoneDigits(number);
    if (digits === '') return undefined;
    return { kind: 'dm', peerId: digits, from: `voice:${digits}`, to: number.startsWith('+') ? `+${digits}` : digits };
  },
  normalise: (target) => phoneDigits(target) || undefined,
});
