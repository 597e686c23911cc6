import type { routingContracts } from '@plexus/contracts';

type Message = routingContracts.TranscriptMessage;

/** Messages as JSON lines (one object each, in order), or as Markdown for people. Pages joined are the whole transcript. */
export function transcriptText(messages: readonly Message[], format: 'jsonl' | 'markdown'): string {
  return messages.map(format === 'jsonl' ? jsonLine : section).join('');
}

const jsonLine = (message: Message): string => `${JSON.stringify(message)}\n`;

function section({ role, label, sender, at, text }: Message): string {
  const who = sender?.name ?? sender?.username ?? sender?.id;
  const name = [role, ...(who === undefined ? [] : [who]), ...(label === undefined ? [] : [label])].map(plain).join(' · ');
  return `### ${name} — ${at}\n\n${text.trimEnd()}\n\n`;
}

/** Names stand in a heading: they stay on one line. */
const plain = (name: string): string => name.replace(/\s+/g, ' ');
