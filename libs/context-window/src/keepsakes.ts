import { cut } from './cut-text.js';
import type { ContextMessage } from './message.js';

/** What every summary is made of, in this order. */
export const SUMMARY_HEADINGS = ['## Decisions', '## Open work', '## Rules and constraints', '## Unanswered requests', '## Exact identifiers'] as const;

const TURN_CHARS = 600;
const MAX_FAILURES = 8;
const FAILURE_CHARS = 240;
const MAX_IDENTIFIERS = 12;
const RULES_CHARS = 2_000;

export interface KeepsakeSettings {
  /** Last turns that are kept in their own words, 0–12. */
  readonly keepTurns: number;
}

/** What goes along with a summary in its own words, because a model may lose it. */
export interface Keepsakes {
  readonly turns: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[];
  readonly failures: readonly { readonly tool: string; readonly text: string }[];
  readonly identifiers: readonly string[];
  readonly rules?: string;
}

/** True when a person, an agent or a tool said something; a boundary or a silent turn alone is nothing to summarise. */
export function hasRealContent(messages: readonly ContextMessage[]): boolean {
  return messages.some(({ role, text, toolCalls, images = 0 }) => role !== 'system' && (text.trim() !== '' || images > 0 || (toolCalls ?? []).length > 0));
}

export function keepsakesOf(messages: readonly ContextMessage[], { keepTurns }: KeepsakeSettings, rules?: string): Keepsakes {
  return {
    turns: lastTurns(messages, keepTurns),
    failures: messages
      .filter(({ role, toolFailed }) => role === 'tool' && toolFailed === true)
      .slice(-MAX_FAILURES)
      .map(({ toolName = 'tool', text }) => ({ tool: toolName, text: cut(oneLine(text), FAILURE_CHARS) })),
    identifiers: identifiersIn(messages),
    ...(rules === undefined || rules.trim() === '' ? {} : { rules: cut(rules.trim(), RULES_CHARS) }),
  };
}

/** Headings and identifiers that a summary should have and has not. */
export function missingFrom(summary: string, identifiers: readonly string[]): string[] {
  return [...SUMMARY_HEADINGS, ...identifiers].filter((text) => !summary.includes(text));
}

export function writeBoundary(parts: { readonly history: string; readonly turn?: string; readonly keepsakes: Keepsakes }): string {
  const { turns, failures, rules } = parts.keepsakes;
  const sections = [
    parts.history,
    parts.turn === undefined ? '' : `## The turn that goes on\n${parts.turn}`,
    turns.length === 0 ? '' : `## Last turns, word for word\n${turns.map(({ role, text }) => `- ${role}: ${text}`).join('\n')}`,
    failures.length === 0 ? '' : `## Tools that failed\n${failures.map(({ tool, text }) => `- ${tool}: ${text}`).join('\n')}`,
    rules === undefined ? '' : `## Rules of the workspace\n${rules}`,
  ];
  return sections.filter((section) => section.trim() !== '').join('\n\n');
}

/** A turn begins with a message of the user. */
function lastTurns(messages: readonly ContextMessage[], count: number): Keepsakes['turns'] {
  if (count === 0) return [];
  const spoken = messages.filter(({ role, text }) => (role === 'user' || role === 'assistant') && text.trim() !== '');
  const starts = spoken.flatMap(({ role }, index) => (role === 'user' ? [index] : []));
  const from = starts.at(-count) ?? starts[0] ?? 0;
  return spoken.slice(from).map(({ role, text }) => ({ role: role as 'user' | 'assistant', text: cut(oneLine(text), TURN_CHARS) }));
}

/** Paths, URLs, hashes, ids with digits: what is useless when it is nearly right. The newest first. */
function identifiersIn(messages: readonly ContextMessage[]): string[] {
  const IDENTIFIER = /https?:\/\/[^\s"'<>()]{4,160}|(?:\.{0,2}\/)[\w.@-]+(?:\/[\w.@-]+)+|\b[0-9a-f]{8,64}\b|\b[A-Z][A-Z0-9]+-\d+\b|\b[\w-]+\.[a-z]{2,5}:\d+\b/g;
  const found = new Set<string>();
  for (const { role, text } of [...messages].reverse()) {
    if (role === 'system') continue;
    for (const [identifier] of text.matchAll(IDENTIFIER)) {
      if (found.size >= MAX_IDENTIFIERS) return [...found];
      found.add(identifier.replace(/[.,;:]+$/, ''));
    }
  }
  return [...found];
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ⏎ ');
}
