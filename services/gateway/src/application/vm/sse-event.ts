import { parseJson } from '@plexus/kernel';
import { LIMITS, RunEventData, type VmFrameOf } from '@plexus/vm-protocol';
import type { VmSessions } from '../../domain/vm-sessions.js';
import type { SessionEventInput, VmCounters, VmIdentity } from './vm-ports.js';

/**
 * The session event that an `sse_event` frame carries; undefined when it cannot be published, because nobody said whose session that is
 * or because its data is no event.
 */
export function readSseEvent(
  frame: VmFrameOf<'sse_event'>,
  sessions: VmSessions,
  identity: Pick<VmIdentity, 'vmId' | 'epoch'>,
  counters: VmCounters,
): SessionEventInput | undefined {
  const session = sessions.get(frame.session_id);
  if (session === undefined) {
    counters.unknownSession += 1;
    return undefined;
  }
  const parsed = parseJson(frame.data, { maxDepth: LIMITS.jsonDepth, maxKeys: LIMITS.jsonKeys });
  const event = parsed.ok ? RunEventData.safeParse(parsed.value) : undefined;
  if (event?.success !== true) return undefined;
  const runId = frame.run_id ?? session.runId;
  return {
    sessionId: session.sessionId,
    sessionKey: session.sessionKey,
    owner: session.owner,
    ...(session.agentId === undefined ? {} : { agentId: session.agentId }),
    ...(runId === undefined ? {} : { runId }),
    ...(frame.run_seq === undefined ? {} : { runSeq: frame.run_seq }),
    vmId: identity.vmId,
    epoch: identity.epoch,
    event: event.data,
  };
}
