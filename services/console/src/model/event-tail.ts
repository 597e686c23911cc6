export type Family = 'chat' | 'agent' | 'inbox' | 'other';

/** One event of the socket as a line. */
export interface TailRow {
  readonly id: number;
  readonly at: string;
  readonly name: string;
  readonly family: Family;
  readonly session: string;
  readonly text: string;
  readonly payload: unknown;
}

/** Heartbeats of the connection say nothing about agents. */
const SILENT = new Set(['tick', 'health', 'presence', 'connect.challenge']);
const MAX_TEXT = 400;

export function eventRow(id: number, event: string, payload: unknown, at: string): TailRow | undefined {
  if (SILENT.has(event)) return undefined;
  const data = (typeof payload === 'object' && payload !== null ? payload : {}) as Record<string, unknown>;
  const word = (key: string) => (typeof data[key] === 'string' ? (data[key] as string) : '');
  const family: Family = event === 'chat' || event === 'agent' ? event : event.startsWith('inbox.') ? 'inbox' : 'other';
  const name = family === 'chat' ? `chat ${word('state')}` : family === 'agent' ? `agent ${word('stream')}` : event;
  return { id, at, name: name.trim(), family, session: word('sessionKey'), text: textOf(family, data).slice(0, MAX_TEXT), payload };
}

function textOf(family: Family, data: Record<string, unknown>): string {
  if (family === 'chat') return String(data.deltaText ?? data.errorMessage ?? data.phase ?? contentOf(data.message) ?? data.stopReason ?? '');
  if (family === 'agent') {
    const { delta } = (data.data ?? {}) as { delta?: unknown };
    return typeof delta === 'string' ? delta : JSON.stringify(data.data ?? {});
  }
  if (family === 'inbox') return String(data.title ?? JSON.stringify(data));
  return JSON.stringify(data);
}

function contentOf(message: unknown): string | undefined {
  const content = (message as { content?: unknown } | undefined)?.content;
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return undefined;
  return content.map((part: { text?: string }) => part.text ?? '').join('');
}
