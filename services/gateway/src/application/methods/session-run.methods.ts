import { plexusError, routingContracts as routing } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { sendMessage } from './chat.methods.js';
import type { MethodCall, MethodHandlers, MethodHandler } from './method-context.js';

type SendParams = Parameters<MethodHandler<'sessions.send'>>[0];

/** Runs of a session that is there; `chat.send` makes one that is not. */
export const sessionRunMethods: Pick<MethodHandlers, 'sessions.send' | 'sessions.steer' | 'sessions.abort'> = {
  'sessions.send': (params, call) => send(params, call),
  /** The run that is going on is stopped, and this message is next. */
  'sessions.steer': (params, call) => send(params, call, 'interrupt'),

  'sessions.abort': ({ key, runId }, call) =>
    call.inTurn(key === undefined ? undefined : { sessionKey: key }, async () => {
      const sessionKey = key ?? (await sessionOf(runId, call));
      const { runIds } = await call.tell(routing.cancelRun, { sessionKey, reason: 'user', ...(runId === undefined ? {} : { runId }) });
      return { ok: true, abortedRunId: runIds[0] ?? null, status: runIds.length > 0 ? 'aborted' : 'no-active-run' };
    }),
};

function send({ key, idempotencyKey = ulid(), ...message }: SendParams, call: MethodCall, queueMode?: 'interrupt'): Promise<unknown> {
  const { agentId } = message;
  return call.inTurn({ sessionKey: key, agentId }, async () => {
    const { session, sessionKey } = await call.tell(routing.describeSession, { sessionKey: key, ...(agentId === undefined ? {} : { agentId }) });
    if (session === undefined) throw plexusError('SESSION_NOT_FOUND', { details: { sessionKey } });
    return sendMessage({ ...message, sessionKey, idempotencyKey, ...(queueMode === undefined ? {} : { queueMode }) }, call);
  });
}

async function sessionOf(runId: string | undefined, call: MethodCall): Promise<string> {
  if (runId === undefined)
    throw plexusError('INVALID_REQUEST', { message: 'invalid sessions.abort params: give key or runId', details: { issues: [{ path: '/key' }] } });
  const { run } = await call.ask(routing.getRun, { runId });
  if (run === undefined) throw plexusError('RUN_NOT_FOUND', { details: { runId } });
  return run.sessionKey;
}
