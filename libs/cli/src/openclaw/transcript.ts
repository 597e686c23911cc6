import { toStorableText } from '@plexus/kernel';

/** A message as the mesh takes it. */
export interface TranscriptMessage {
  readonly id: string;
  readonly role: 'user' | 'assistant' | 'system';
  readonly text: string;
  readonly at: string;
}

export interface MappedTranscript {
  readonly messages: readonly TranscriptMessage[];
  /** How many entries are not among them, by reason. */
  readonly left: Readonly<Record<string, number>>;
}

const MAX_TEXT = 200_000;
/** As JSON: what a transcript of the mesh keeps of one message. */
const MAX_TEXT_BYTES = 512 * 1024;
const CUT = '\n\n[cut: the message was longer than a transcript keeps]';
const ROLES: readonly string[] = ['user', 'assistant', 'system'];
/** Entries that are no part of the conversation. */
const NOTES = new Set([
  'session',
  'model_change',
  'thinking_level_change',
  'custom',
  'custom_message',
  'label',
  'session_info',
  'leaf',
  'compaction',
  'branch_summary',
]);

type Entry = Record<string, unknown>;

/**
 * What people and the agent said to each other, in order. A transcript is a tree of entries; its conversation is the branch that ends in the last one.
 * Every entry that is not taken is counted.
 */
export function mapTranscript(sessionId: string, entries: readonly unknown[], startedAt: string): MappedTranscript {
  const left: Record<string, number> = {};
  const count = (reason: string): void => {
    left[reason] = (left[reason] ?? 0) + 1;
  };
  const objects = entries.filter((entry): entry is Entry => typeof entry === 'object' && entry !== null && !Array.isArray(entry));
  for (let broken = objects.length; broken < entries.length; broken += 1) count('lines that are no entries');
  const branch = activeBranch(objects);
  const messages: TranscriptMessage[] = [];
  let at = startedAt;
  for (const [index, entry] of objects.entries()) {
    at = timeOf(entry) ?? at;
    const { role, content } = Object(entry.message) as Entry;
    if (entry.type !== 'message') count(NOTES.has(String(entry.type)) ? 'notes of the agent program' : 'entries of an unknown kind');
    else if (branch !== undefined && !branch.has(entry)) count('messages of abandoned branches');
    else if (role === 'toolResult' || role === 'tool') count('results of tools');
    else if (!ROLES.includes(String(role))) count('messages of an unknown role');
    else {
      const text = textOf(content);
      if (text === '') count('messages without text (calls of tools, thoughts, pictures)');
      else messages.push({ id: `openclaw:${sessionId}:${idOf(entry) ?? `#${index}`}`.slice(0, 200), role: role as TranscriptMessage['role'], text, at });
      if (text.endsWith(CUT)) count('ends of texts that were too long');
    }
  }
  return { messages, left };
}

/** Entries from the last one up to the root; undefined where the entries do not name their parents. */
function activeBranch(entries: readonly Entry[]): ReadonlySet<Entry> | undefined {
  const byId = new Map(entries.map((entry) => [idOf(entry), entry] as const));
  let entry = entries.findLast((one) => idOf(one) !== undefined && one.type !== 'session');
  if (entry === undefined || !entries.some(({ parentId }) => typeof parentId === 'string')) return undefined;
  const branch = new Set<Entry>();
  for (; entry !== undefined && !branch.has(entry); entry = typeof entry.parentId === 'string' ? byId.get(entry.parentId) : undefined) branch.add(entry);
  return branch;
}

const idOf = ({ id }: Entry): string | undefined => (typeof id === 'string' && id !== '' ? id : undefined);

/** A text, or the parts of a content that are text. */
function textOf(content: unknown): string {
  const parts = Array.isArray(content) ? content.map((part) => Object(part) as Entry).filter(({ type }) => type === 'text') : [];
  const joined = typeof content === 'string' ? content : parts.map(({ text }) => (typeof text === 'string' ? text : '')).join('\n');
  const text = toStorableText(joined).trim();
  return fits(text) ? text : cut(text);
}

const fits = (text: string): boolean => text.length <= MAX_TEXT && Buffer.byteLength(JSON.stringify(text)) <= MAX_TEXT_BYTES;

/** As much of the beginning as is kept, and that it was cut. */
function cut(text: string): string {
  const upTo = (length: number): string => toStorableText(text.slice(0, length)) + CUT;
  let [kept, tooLong] = [0, Math.min(text.length, MAX_TEXT) + 1];
  while (tooLong - kept > 1) {
    const middle = Math.floor((kept + tooLong) / 2);
    if (fits(upTo(middle))) kept = middle;
    else tooLong = middle;
  }
  return upTo(kept);
}

function timeOf(entry: Entry): string | undefined {
  for (const value of [entry.timestamp, (Object(entry.message) as Entry).timestamp]) {
    const time = typeof value === 'number' || typeof value === 'string' ? new Date(value) : undefined;
    if (time !== undefined && time.getTime() > 0 && time.getTime() < 253_402_300_800_000) return time.toISOString();
  }
  return undefined;
}
