import type { DataOf, pushDeliveryContracts } from '@plexus/contracts';
import type { ChannelMessage } from './channel.js';

export type DeliverCommand = DataOf<typeof pushDeliveryContracts.deliverCommand>;

const MAX_LINES = 20;
const MAX_LINE = 300;

/** Says an inbox item in words for any channel. Event data stays out: it may be large, and is nobody's business on the way. */
export function describeDelivery(tenant: string, command: DeliverCommand, expiresAt?: number): ChannelMessage {
  const { user, deliveryId, level, priority, item, decidedAt } = command;
  return {
    tenant,
    user,
    id: level === 0 ? deliveryId : `${deliveryId}:${level}`,
    purpose: 'delivery',
    priority,
    title: oneLine(item.title),
    lines: linesOf(item),
    data: {
      deliveryId,
      level,
      priority,
      item: { ...item, events: item.events.map(({ data: _data, ...event }) => event) },
    },
    at: Date.parse(decidedAt),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function linesOf({ title, events, repeats }: DeliverCommand['item']): string[] {
  const said = oneLine(title);
  const summaries = events.map(({ summary, type, subject }) => oneLine(summary ?? `${type} ${subject}`)).filter((line) => line !== '' && line !== said);
  const shown = summaries.slice(0, MAX_LINES);
  if (summaries.length > shown.length) shown.push(`… and ${summaries.length - shown.length} more`);
  if (repeats !== undefined && repeats > 0) shown.push(`Happened ${repeats} more time${repeats === 1 ? '' : 's'} since.`);
  return shown;
}

/** Line breaks of foreign texts would forge lines, and headers of mails. */
function oneLine(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  const characters = [...line];
  return characters.length <= MAX_LINE ? line : `${characters.slice(0, MAX_LINE - 1).join('')}…`;
}
