import { createHash } from 'node:crypto';
import type { ChannelMessage } from './channel.js';

export interface MailSettings {
  readonly from: string;
  readonly replyTo?: string | undefined;
  readonly unsubscribe?: string | undefined;
}

export interface Mail {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly messageId: string;
  readonly date: Date;
  readonly headers: Record<string, string>;
  readonly replyTo?: string;
}

const IMPORTANCE = { P0: 'high', P1: 'normal', P2: 'normal', P3: 'low' } as const;

/** The mail that says a message. The same message has the same Message-ID at every repeat, so that mail programs show it once. */
export function mailOf(message: ChannelMessage, settings: MailSettings, to: string): Mail {
  const { title, lines, at, priority, tenant, user } = message;
  const address = /<([^<>]+)>\s*$/.exec(settings.from)?.[1] ?? settings.from;
  const domain = address.split('@').at(-1) ?? 'localhost';
  const local = createHash('sha256')
    .update(JSON.stringify([tenant, user, message.id, to]))
    .digest('hex')
    .slice(0, 40);
  const unsubscribe = settings.unsubscribe ?? `mailto:${address}?subject=unsubscribe`;
  return {
    from: settings.from,
    to,
    subject: title,
    text: [title, '', ...lines, ''].join('\n'),
    html: `<!doctype html><html><body><p><strong>${escaped(title)}</strong></p>${lines.length === 0 ? '' : `<ul>${lines.map((line) => `<li>${escaped(line)}</li>`).join('')}</ul>`}</body></html>`,
    messageId: `<${local}@${domain}>`,
    date: new Date(at),
    headers: {
      'List-Unsubscribe': `<${unsubscribe}>`,
      'Auto-Submitted': 'auto-generated',
      Importance: IMPORTANCE[priority],
      'X-Plexus-Delivery': message.id,
    },
    ...(settings.replyTo !== undefined && { replyTo: settings.replyTo }),
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
