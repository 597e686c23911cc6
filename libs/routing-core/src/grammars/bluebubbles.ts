import { hasPrefix, phoneNumber, type TargetGrammar, withoutPrefix } from '../target-grammar.js';
import { appleHandle, appleTarget, chatIdentifier } from './phones.js';

const RAW_GUID = /^[a-z]+;[+-];.+$/i;
const GROUP_NUMBER = /^chat\d+$/i;

/** The identifier of a group conversation without its prefix; undefined for a handle. */
function groupId(target: string): string | undefined {
  if (hasPrefix(target, 'group:')) return target.slice('group:'.length).trim();
  const bare = withoutPrefix(target, 'imessage:', 'sms:', 'auto:');
  const chat = chatIdentifier(bare);
  if (chat) return chat.id;
  return RAW_GUID.test(bare) || GROUP_NUMBER.test(bare) ? bare : undefined;
}

/** BlueBubbles: handles are people; chats by any identifier are groups, and their prefix is no part of the key. */
export const bluebubblesGrammar: TargetGrammar = {
  channel: 'bluebubbles',
  parse({ target }) {
    const bare = withoutPrefix(target, 'bluebubbles:');
    if (bare === '') return undefined;
    const to = `bluebubbles:${bare}`;
    const group = groupId(bare);
    if (group !== undefined) return group === '' ? undefined : { kind: 'group', peerId: group, from: `group:${group}`, to };
    const handle = withoutPrefix(bare, 'imessage:', 'sms:', 'auto:');
    return handle === '' ? undefined : { kind: 'dm', peerId: handle, from: `bluebubbles:${handle}`, to };
  },
  normalise(target) {
    const bare = withoutPrefix(target, 'bluebubbles:');
    if (hasPrefix(bare, 'group:')) {
      const id = bare.slice('group:'.length).trim();
      return id === '' ? undefined : `${/^\d+$/.test(id) ? 'chat_id' : 'chat_guid'}:${id}`;
    }
    const guid = RAW_GUID.test(bare) ? bare : /^chat_guid:(.+)$/i.exec(bare)?.[1]?.trim();
    if (guid !== undefined) return directHandle(guid) ?? `chat_guid:${guid}`;
    if (GROUP_NUMBER.test(bare)) return `chat_identifier:${bare}`;
    return appleTarget(bare);
  },
};

/** `iMessage;-;<handle>` is a conversation with one person, who is better named by the handle. */
function directHandle(guid: string): string | undefined {
  const handle = /^[a-z]+;-;(.+)$/i.exec(guid)?.[1];
  return handle === undefined ? undefined : (appleHandle(handle) ?? phoneNumber(handle));
}
