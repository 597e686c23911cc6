import { type InputOf, runContracts, sessionContracts } from '@plexus/contracts';
import type { Outgoing, StoredRun, StoredSession, TranscriptMessage } from './ports.js';

type Addressed = Pick<StoredSession, 'tenant' | 'owner' | 'sessionId' | 'sessionKey' | 'agentId'>;

const addressOf = ({ sessionId, sessionKey, owner, agentId }: Addressed) => ({ sessionId, sessionKey, owner, agentId });

/** A message was appended to a transcript. */
export function messageAppended(session: Addressed, message: TranscriptMessage): Outgoing {
  return {
    contract: sessionContracts.sessionMessage,
    tenant: session.tenant,
    key: [session.sessionId],
    id: `message:${message.messageId}`,
    data: { ...addressOf(session), message },
  };
}

/** A session was created, renewed or relabelled. `id` distinguishes changes of one kind. */
export function sessionChanged(
  session: Addressed,
  change: InputOf<typeof sessionContracts.sessionChanged>['change'],
  id: string,
  more: { previousSessionId?: string; revokedFrom?: string } = {},
): Outgoing {
  return {
    contract: sessionContracts.sessionChanged,
    tenant: session.tenant,
    key: [session.sessionId],
    id: `session-${change}:${id}`,
    data: { ...addressOf(session), change, ...more },
  };
}

/** The run may start. Once per run. */
export function runStart(run: Addressed & { runId: string }, data: InputOf<typeof runContracts.startRun>): Outgoing {
  return { contract: runContracts.startRun, tenant: run.tenant, key: [run.sessionId], id: `run-start:${run.sessionId}:${run.runId}`, data };
}

/** The run is to stop. `id` distinguishes repeated orders: a second one reaches a worker that lost the first. */
export function runCancel(run: StoredRun, reason: string, id: string): Outgoing {
  return {
    contract: runContracts.cancelRunCommand,
    tenant: run.tenant,
    key: [run.sessionId],
    id: `run-cancel:${id}`,
    data: { ...addressOf(run), runId: run.runId, reason },
  };
}

/** A message for a run that is going on. Once per message. */
export function runSteer(session: Addressed, runId: string, messageRunId: string, message: string): Outgoing {
  const data = { ...addressOf(session), runId, message };
  return { contract: runContracts.steerRun, tenant: session.tenant, key: [session.sessionId], id: `steer:${messageRunId}`, data };
}

/** An end that this service states itself. It carries no epoch, so no reader drops it as stale. */
export function runEnded(
  run: StoredRun,
  event:
    | { type: 'execution_complete'; cancelled: true; reason: string; mergedInto?: string }
    | { type: 'execution_complete'; content: string; mergedInto?: string }
    | { type: 'execution_error'; code: string; error: string },
): Outgoing {
  return {
    contract: sessionContracts.sessionEvent,
    tenant: run.tenant,
    key: [run.sessionId],
    id: `run-ended:${run.sessionId}:${run.runId}:${event.type}`,
    data: { ...addressOf(run), runId: run.runId, event },
  };
}

/** Shows an injected message to those who watch the session. */
export function messageInjected(session: Addressed, message: TranscriptMessage): Outgoing {
  const { messageId, text, label, at } = message;
  return {
    contract: sessionContracts.sessionEvent,
    tenant: session.tenant,
    key: [session.sessionId],
    id: `injected:${messageId}`,
    data: { ...addressOf(session), event: { type: 'message', messageId, text, at, ...(label === undefined ? {} : { label }) } },
  };
}
