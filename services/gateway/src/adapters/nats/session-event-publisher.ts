import { context } from '@opentelemetry/api';
import type { Bus } from '@plexus/bus';
import { type CloudEventOf, type DataOf, sessionContracts } from '@plexus/contracts';
import { extractContext } from '@plexus/telemetry';
import type { SessionEventInput, SessionEvents } from '../../application/vm/vm-ports.js';

/** Stores the events of VMs in the session stream. */
export class SessionEventPublisher implements SessionEvents {
  constructor(private readonly bus: Bus) {}

  async publish(
    tenant: string,
    data: SessionEventInput,
    { msgId, traceparent }: { readonly msgId: string | null; readonly traceparent: string | undefined },
  ): Promise<void> {
    const publish = () =>
      this.bus.publish(sessionContracts.sessionEvent, {
        tenant,
        key: [data.sessionId],
        data,
        msgId,
        source: '/plexus/vm',
        ...(msgId === null ? {} : { id: msgId }),
      });
    if (traceparent === undefined) await publish();
    else
      await context.with(
        extractContext((name) => (name === 'traceparent' ? traceparent : undefined)),
        publish,
      );
  }

  async lastNumber(tenant: string, sessionId: string): Promise<{ runId: string | undefined; runSeq: number } | undefined> {
    const last = await this.bus.lastOnSubject('PLEXUS_EVT_SESSION', sessionContracts.sessionEvent.subject(tenant, sessionId));
    if (last === undefined) return undefined;
    const { data } = last.json<CloudEventOf<Partial<DataOf<typeof sessionContracts.sessionEvent>>>>();
    return { runId: data?.runId, runSeq: data?.runSeq ?? 0 };
  }
}
