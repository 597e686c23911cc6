import { context } from '@opentelemetry/api';
import type { Bus, OrderedMessage, OrderedReading } from '@plexus/bus';
import { type CloudEventOf, type DataOf, sessionContracts } from '@plexus/contracts';
import { timeout } from '@plexus/kernel';
import { extractContext } from '@plexus/telemetry';
import type { SessionEventInput, SessionEvents } from '../../application/vm/vm-ports.js';

const STREAM = 'PLEXUS_EVT_SESSION';
const NUMBER_MS = 10_000;

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

  async lastNumber(tenant: string, sessionId: string, runId: string, signal: AbortSignal): Promise<number> {
    const filter = sessionContracts.sessionEvent.subject(tenant, sessionId);
    const last = await this.bus.lastOnSubject(STREAM, filter);
    if (last === undefined) return 0;
    const newest = numberWithin(runId, last);
    if (newest > 0) return newest;
    // Others write into the session too: a note or an epoch marker may stand behind the run.
    let highest = 0;
    let reading: OrderedReading | undefined;
    try {
      await timeout(
        new Promise<void>((resolve, reject) => {
          const take = (message: OrderedMessage) => {
            highest = Math.max(highest, numberWithin(runId, message));
            if (message.seq >= last.seq) resolve();
          };
          reading = this.bus.readOrdered(STREAM, { filter, from: 'all' }, take, { onError: reject });
        }),
        NUMBER_MS,
        { signal, what: 'search for the last number of a run' },
      );
      return highest;
    } finally {
      await reading?.stop();
    }
  }
}

/** The number that a stored event has within this run; 0 when it is not one of the run, or nothing that can be read. */
function numberWithin(runId: string, message: OrderedMessage): number {
  try {
    const { data } = message.json<CloudEventOf<Partial<DataOf<typeof sessionContracts.sessionEvent>>>>();
    return data?.runId === runId ? (data.runSeq ?? 0) : 0;
  } catch {
    // Not JSON: nothing that this service has numbered. Readers of the stream count it.
    return 0;
  }
}
