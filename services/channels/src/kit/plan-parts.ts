import type { channelContracts } from '@plexus/contracts';
import type { ChannelAdapter, ChannelAttachment, OutgoingPart } from './channel-adapter.js';
import { splitText } from './split-text.js';

type Send = channelContracts.ChannelSend;

/** The calls that one message becomes. Deterministic: a repeat after a crash goes on with the part that is missing. */
export function planParts(send: Send, adapter: Pick<ChannelAdapter, 'textLimit' | 'attachments'>): OutgoingPart[] {
  const attachments = send.attachments ?? [];
  const links = adapter.attachments === 'links' ? attachments.flatMap(({ url }) => url ?? []) : [];
  const text = [send.text, ...links].filter((piece) => piece.trim() !== '').join('\n');
  const contents: { text: string; attachments: readonly ChannelAttachment[] }[] =
    text === '' ? [] : splitText(text, adapter.textLimit).map((part) => ({ text: part, attachments: [] }));
  if (adapter.attachments === 'separate') contents.push(...attachments.map((attachment) => ({ text: '', attachments: [attachment] })));
  if (adapter.attachments === 'inline' && attachments.length > 0) {
    const last = contents.pop() ?? { text: '', attachments: [] };
    contents.push({ text: last.text, attachments });
  }
  return contents.map((content, index) => ({
    idempotencyKey: `${send.sendId}:${index}`,
    sendId: send.sendId,
    index,
    count: contents.length,
    to: send.to,
    ...(send.chatKind && { chatKind: send.chatKind }),
    ...(send.threadId !== undefined && { threadId: send.threadId }),
    ...(send.replyToId !== undefined && index === 0 && { replyToId: send.replyToId }),
    silent: send.silent ?? false,
    ...(send.sessionKey !== undefined && { sessionKey: send.sessionKey }),
    ...(send.runId !== undefined && { runId: send.runId }),
    ...content,
  }));
}
