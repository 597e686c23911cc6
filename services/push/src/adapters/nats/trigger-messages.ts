import type { EncodedEvent, EventInput } from '@plexus/bus';
import { type InboundContract, pushTriggersContracts as triggers } from '@plexus/contracts';
import type { OutboxMessage } from '@plexus/database';
import type { Outgoing } from '../../application/triggers/trigger-ports.js';
import { DIRECT_HIT, OWN_ORIGIN } from '../../domain/triggers/notice.js';
import type { LogEntries } from './log-entries.js';

const CONTRACTS = { 'schedule-fired': triggers.scheduleFired, 'research-finished': triggers.researchFinished } as const;
/** CloudEvents source of what schedules and rules state. */
const SOURCES = { 'schedule-fired': '/plexus/push/schedules', 'research-finished': '/plexus/push/dispatch' } as const;

/** Encodes what triggers publish: notifications as candidates of their recipient, events under the source token of push. */
export class TriggerMessages {
  constructor(
    private readonly log: Pick<LogEntries, 'encoded'>,
    private readonly encode: (contract: InboundContract, event: EventInput<InboundContract>) => EncodedEvent,
  ) {}

  encoded(message: Outgoing): OutboxMessage[] {
    if (message.kind === 'notice') {
      const { tenant, user, event, agent } = message;
      const data = { event, hits: [DIRECT_HIT], score: 1, ...(agent === undefined ? {} : { agent }) };
      return this.log.encoded({ tenant, user, kind: 'candidate', id: event.key, data });
    }
    const { tenant, name, id, at, severity, data } = message;
    const encoded = this.encode(CONTRACTS[name], {
      tenant,
      key: [name === 'schedule-fired' ? (data as { scheduleId: string }).scheduleId : (data as { runId: string }).runId],
      data,
      id,
      source: SOURCES[name],
      sourceToken: OWN_ORIGIN,
      time: new Date(at).toISOString(),
      extensions: { severity, ...('agent' in message ? { agent: message.agent } : {}) },
    });
    return [message.name === 'schedule-fired' && message.type !== undefined ? withType(encoded, message.type) : encoded];
  }
}

/** The type that a schedule's owner chose; everything else of the envelope is ours. */
function withType(encoded: EncodedEvent, type: string): EncodedEvent {
  const event = JSON.parse(Buffer.from(encoded.body).toString()) as Record<string, unknown>;
  return { ...encoded, body: Buffer.from(JSON.stringify({ ...event, type })) };
}
