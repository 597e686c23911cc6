import { estimateTokens, groupsOf } from '@plexus/context-window';
import { CHUNK_TOKENS, chunksOf } from './embedding/chunks.js';
import type { MessageRange, SessionMessage } from './session-ranges.js';

/** A piece of a conversation as it becomes a memory. */
export interface Episode extends MessageRange {
  readonly content: string;
  readonly untrusted: boolean;
}

/**
 * The messages as texts of at most about 400 tokens, in order: whole groups (a tool call with its results) together where they fit, longer
 * ones in overlapping pieces. Every word of every message is in one of them. The same messages give the same texts.
 */
export function episodesOf(messages: readonly SessionMessage[]): Episode[] {
  const episodes: Episode[] = [];
  let gathered: Episode | undefined;
  const finish = () => {
    if (gathered !== undefined) episodes.push(gathered);
    gathered = undefined;
  };
  for (const group of groupsOf(messages)) {
    const one = episodeOf(group);
    if (one === undefined) continue;
    const together: Episode | undefined = gathered && join(gathered, one);
    if (together !== undefined && estimateTokens(together.content) <= CHUNK_TOKENS) {
      gathered = together;
      continue;
    }
    finish();
    if (estimateTokens(one.content) <= CHUNK_TOKENS) gathered = one;
    else episodes.push(...chunksOf(one.content).map((content) => ({ ...one, content })));
  }
  finish();
  return episodes;
}

/** One message as a line of a conversation; empty when it says nothing. */
export function lineOf({ role, text, toolCalls, toolName }: SessionMessage): string {
  const calls = (toolCalls ?? []).map(({ name, arguments: given }) => `${name}(${given ?? ''})`);
  const said = [text.trim(), ...calls].filter((part) => part !== '').join('\n');
  return said === '' ? '' : `${toolName === undefined ? role : `${role} ${toolName}`}: ${said}`;
}

function episodeOf(group: readonly SessionMessage[]): Episode | undefined {
  const content = group
    .map(lineOf)
    .filter((line) => line !== '')
    .join('\n');
  const [first, last] = [group[0], group.at(-1)];
  if (content === '' || first === undefined || last === undefined) return undefined;
  return { content, from: first.seq, to: last.seq, untrusted: group.some(({ untrusted }) => untrusted) };
}

function join(a: Episode, b: Episode): Episode {
  return { content: `${a.content}\n${b.content}`, from: a.from, to: b.to, untrusted: a.untrusted || b.untrusted };
}
