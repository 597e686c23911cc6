import type { Bus, OrderedMessage } from '@plexus/bus';
import { type DataOf, runEnd, sessionContracts } from '@plexus/contracts';
import { PlexusError, timeout } from '@plexus/kernel';
import type { MarkedPosition, RunRow, SessionLog } from '../../application/ports.js';

const STREAM = 'PLEXUS_EVT_SESSION';
const MAX_RACES = 8;
const READ_TIMEOUT_MS = 5_000;

type SessionEventData = DataOf<typeof sessionContracts.sessionEvent>;

/** What was read of a run: how far its numbers go, and whether it is over. */
interface Progress {
  readonly lastRunSeq: number;
  readonly ended: boolean;
}

/** The subject of one session, read and marked. */
export class BusSessionLog implements SessionLog {
  constructor(
    private readonly bus: Pick<Bus, 'lastOnSubject' | 'readOrdered' | 'publishRaw' | 'encodeEvent'>,
    private readonly readTimeoutMs = READ_TIMEOUT_MS,
  ) {}

  async mark(run: RunRow, epoch: number, vmId: string): Promise<MarkedPosition> {
    const { tenant, sessionId, sessionKey, owner, agentId } = run;
    // One per change of hands: a return to the same incarnation needs a marker too, and the stream would take it for a repeat of the first.
    const id = `${vmId}:${epoch}:marker:${sessionId}:${run.markerSeq}`;
    const data = { sessionId, sessionKey, owner, agentId, vmId, epoch, event: { type: 'epoch_marker' } };
    const marker = this.bus.encodeEvent(sessionContracts.sessionEvent, { tenant, key: [sessionId], data, id, msgId: id });
    for (let race = 1; ; race += 1) {
      const last = await this.bus.lastOnSubject(STREAM, marker.subject);
      const progress = await this.progressOf(run, marker.subject, last);
      try {
        const expectedLastSubjectSeq = last?.seq ?? 0;
        const { seq } = await this.bus.publishRaw(marker.subject, marker.body, { headers: marker.headers, msgId: id, expectedLastSubjectSeq });
        return { ...progress, markerSeq: seq };
      } catch (error) {
        // Something was published meanwhile: it must be read before the marker goes behind it.
        if (!PlexusError.isPlexusError(error) || error.code !== 'CONFLICT' || race >= MAX_RACES) throw error;
      }
    }
  }

  async lastEventAt(tenant: string, sessionId: string): Promise<number | undefined> {
    return (await this.bus.lastOnSubject(STREAM, sessionContracts.sessionEvent.subject(tenant, sessionId)))?.time;
  }

  /** Usually the newest event of the session is one of the run, and says it all. */
  private async progressOf(run: RunRow, subject: string, last: OrderedMessage | undefined): Promise<Progress> {
    const known = { lastRunSeq: run.runSeq, ended: false };
    if (last === undefined || last.seq <= run.markerSeq) return known;
    const newest = step(known, run, last);
    if (newest !== known) return newest;
    return this.readFrom(run, subject, last.seq);
  }

  private async readFrom(run: RunRow, subject: string, lastSeq: number): Promise<Progress> {
    let progress: Progress = { lastRunSeq: run.runSeq, ended: false };
    let finish: () => void = () => undefined;
    let fail: (error: unknown) => void = () => undefined;
    const read = new Promise<void>((resolve, reject) => {
      finish = resolve;
      fail = reject;
    });
    const from = run.markerSeq > 0 ? { startSeq: run.markerSeq + 1 } : ('all' as const);
    const reading = this.bus.readOrdered(
      STREAM,
      { filter: subject, from },
      (message) => {
        if (message.seq <= lastSeq) progress = step(progress, run, message);
        if (message.seq >= lastSeq) finish();
      },
      { onError: (error) => fail(error) },
    );
    try {
      await timeout(read, this.readTimeoutMs, { what: 'reading of a session' });
    } finally {
      // A reading that was not stopped would go on at the server for as long as this process lives.
      await reading.stop();
    }
    return progress;
  }
}

/** Takes one message into account, as every reader of the stream does: what an older epoch of the VM says behind a marker does not count. */
function step(progress: Progress, run: RunRow, message: OrderedMessage): Progress {
  const { data } = message.json<{ data: SessionEventData }>();
  const stale = data.vmId === run.vmId && data.epoch !== undefined && data.epoch < run.markedEpoch;
  if (data.runId !== run.runId || stale) return progress;
  return { lastRunSeq: Math.max(progress.lastRunSeq, data.runSeq ?? 0), ended: progress.ended || runEnd(data.event) !== undefined };
}
