import { groupsOf } from '@plexus/context-window';
import { toStorableText } from '@plexus/kernel';
import { z } from 'zod';
import { headAndTail } from '../../domain/bounded-text.js';
import type { ConversationMessage } from './types.js';

/** A message begins with this line: what a reader of the text does not need to see, as JSON. */
const MARK = '<!-- plexus:message ';
/** `s`: what else Unicode calls the end of a line may stand in the JSON as it is. */
const MARKED = /^<!-- plexus:message (\{.*\}) -->$/s;
/** A line of a text that looks like one gets one more backslash. */
const LIKE_MARK = /^\\*<!-- plexus:message /;
const TITLE = '# Conversation\n';
const ROLES = { user: 'User', assistant: 'Assistant', tool: 'Tool', system: 'System' } as const;

/** A result of a tool that is longer keeps its head and its tail. */
const MAX_RESULT_CHARS = 64 * 1024;

const Meta = z.object({
  role: z.enum(['user', 'assistant', 'tool', 'system']),
  images: z.number().int().min(0).max(10_000).optional(),
  toolCalls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string().optional() })).optional(),
  toolCallId: z.string().optional(),
  toolName: z.string().optional(),
  toolFailed: z.boolean().optional(),
  runtimeOnly: z.boolean().optional(),
  summary: z.literal(true).optional(),
});

/**
 * A conversation as a Markdown text that people can read and that `readConversation` reads again, word for word. At most `maxBytes`: the
 * oldest messages are left out, calls together with their results, never the summary.
 */
export function writeConversation(messages: readonly ConversationMessage[], maxBytes: number): { readonly text: string; readonly kept: number } {
  const [first, ...rest] = messages;
  const hasSummary = first?.summary === true;
  const front = hasSummary ? sectionOf(first) : '';
  const groups = groupsOf(hasSummary ? rest : messages).map((group) => ({ count: group.length, text: group.map(sectionOf).join('') }));
  let room = maxBytes - Buffer.byteLength(TITLE) - Buffer.byteLength(front);
  let from = groups.length;
  while (from > 0) {
    room -= Buffer.byteLength(groups[from - 1]?.text ?? '');
    if (room < 0) break;
    from -= 1;
  }
  const kept = groups.slice(from);
  return { text: TITLE + front + kept.map(({ text }) => text).join(''), kept: (hasSummary ? 1 : 0) + kept.reduce((sum, { count }) => sum + count, 0) };
}

/** Reads such a text, also one that somebody has edited. What stands before the first message, and a mark that is none, is left out. */
export function readConversation(text: string): ConversationMessage[] {
  const messages: ConversationMessage[] = [];
  let meta: ConversationMessage | undefined;
  let lines: string[] = [];
  const close = (): void => {
    if (meta !== undefined) messages.push({ ...meta, text: textOf(lines) });
  };
  for (const line of text.split('\n')) {
    if (!line.startsWith(MARK)) {
      lines.push(line);
      continue;
    }
    close();
    meta = metaIn(line);
    lines = [];
  }
  close();
  return messages;
}

function sectionOf(message: ConversationMessage): string {
  const { text, ...meta } = message;
  // Neither `-->` nor a line break can be in it: the mark ends where it should.
  const json = JSON.stringify(meta).replace(/[<>]/g, (sign) => (sign === '<' ? '\\u003c' : '\\u003e'));
  const shown = toStorableText(message.role === 'tool' ? headAndTail(text, MAX_RESULT_CHARS) : text);
  const body = shown
    .split('\n')
    .map((line) => (LIKE_MARK.test(line) ? `\\${line}` : line))
    .join('\n');
  const name = message.summary === true ? 'Summary' : `${ROLES[message.role]}${message.toolName === undefined ? '' : ` ${oneLine(message.toolName)}`}`;
  const calls = (message.toolCalls ?? []).map((call) => oneLine(call.name)).join(', ');
  return `\n${MARK}${json} -->\n## ${name}${calls === '' ? '' : ` (calls ${calls})`}\n\n${body}\n`;
}

const oneLine = (text: string): string => toStorableText(text).replace(/\s+/g, ' ').slice(0, 100);

/** Between the heading with its empty line and the empty line before the next mark. */
function textOf(lines: readonly string[]): string {
  const from = lines[0]?.startsWith('## ') ? (lines[1] === '' ? 2 : 1) : 0;
  const to = lines.at(-1) === '' ? -1 : undefined;
  return lines
    .slice(from, to)
    .map((line) => (line.startsWith('\\') && LIKE_MARK.test(line) ? line.slice(1) : line))
    .join('\n');
}

function metaIn(line: string): ConversationMessage | undefined {
  const json = MARKED.exec(line)?.[1];
  if (json === undefined) return undefined;
  try {
    const read = Meta.safeParse(JSON.parse(json));
    return read.success ? ({ ...read.data, text: '' } as ConversationMessage) : undefined;
  } catch (error) {
    // Somebody edited it; the message is left out, the others are not.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
