export type DmPolicy = 'pairing' | 'allowlist' | 'open' | 'disabled';
export type GroupPolicy = 'open' | 'allowlist' | 'disabled';

/** How an account admits people. */
export interface AdmissionPolicy {
  readonly dmPolicy: DmPolicy;
  readonly groupPolicy: GroupPolicy;
  readonly allowFrom: readonly string[];
  /** Absent: `allowFrom`. */
  readonly groupAllowFrom?: readonly string[] | undefined;
}

export interface Stranger {
  readonly channel: string;
  readonly chatKind: 'dm' | 'group' | 'channel';
  readonly chatId: string;
  readonly senderId: string;
  readonly username?: string | undefined;
  /** What was decided about the sender before. */
  readonly decision?: 'approved' | 'rejected' | undefined;
}

export type Admission = { readonly kind: 'admit' } | { readonly kind: 'pair' } | { readonly kind: 'refuse'; readonly reason: Refusal };
export type Refusal = 'dm-disabled' | 'dm-not-listed' | 'rejected' | 'group-disabled' | 'group-not-listed';

/** Whether a message may reach an agent. Somebody who was rejected stays out even where everybody else may write. */
export function admit(policy: AdmissionPolicy, stranger: Stranger): Admission {
  return stranger.chatKind === 'dm' ? admitDirect(policy, stranger) : admitInGroup(policy, stranger);
}

function admitDirect(policy: AdmissionPolicy, stranger: Stranger): Admission {
  if (policy.dmPolicy === 'disabled') return refuse('dm-disabled');
  if (stranger.decision === 'rejected') return refuse('rejected');
  if (policy.dmPolicy === 'open' || isListed(policy.allowFrom, stranger)) return { kind: 'admit' };
  if (policy.dmPolicy === 'allowlist') return refuse('dm-not-listed');
  return stranger.decision === 'approved' ? { kind: 'admit' } : { kind: 'pair' };
}

function admitInGroup(policy: AdmissionPolicy, stranger: Stranger): Admission {
  if (policy.groupPolicy === 'disabled') return refuse('group-disabled');
  if (stranger.decision === 'rejected') return refuse('rejected');
  if (policy.groupPolicy === 'open') return { kind: 'admit' };
  const list = policy.groupAllowFrom ?? policy.allowFrom;
  return isListed(list, stranger) || list.some((entry) => sameId(entry, stranger.channel, stranger.chatId)) ? { kind: 'admit' } : refuse('group-not-listed');
}

const refuse = (reason: Refusal): Admission => ({ kind: 'refuse', reason });

/** By id, `channel:id`, user name or `@name`, in any case; `*` is everybody. */
function isListed(list: readonly string[], { channel, senderId, username }: Stranger): boolean {
  return list.some((entry) => entry.trim() === '*' || sameId(entry, channel, senderId) || (username !== undefined && sameName(entry, username)));
}

function sameId(entry: string, channel: string, id: string): boolean {
  const wanted = entry.trim().toLowerCase();
  const own = id.trim().toLowerCase();
  return wanted === own || wanted === `${channel}:${own}`;
}

/** Names only with their `@`: an id of one person may be the name of another. */
function sameName(entry: string, username: string): boolean {
  return entry.trim().toLowerCase() === `@${username.trim().replace(/^@/, '').toLowerCase()}`;
}
