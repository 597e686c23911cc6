import { plexusError, routingContracts as routing } from '@plexus/contracts';
import { sessionRow } from '../../domain/transcript.js';
import type { MethodHandlers } from './method-context.js';

/** What is done with whole sessions. */
export const sessionCareMethods: Pick<MethodHandlers, 'sessions.patch' | 'sessions.delete' | 'sessions.preview'> = {
  'sessions.patch': ({ key, label, displayName }, call) => {
    if (label === undefined && displayName === undefined) throw plexusError('INVALID_REQUEST', { message: 'nothing to change: give label or displayName' });
    return call.inTurn({ sessionKey: key }, async () => {
      const { session } = await call.tell(routing.patchSession, {
        sessionKey: key,
        ...(label === undefined ? {} : { label }),
        ...(displayName === undefined ? {} : { displayName }),
      });
      return { ok: true, key: session.sessionKey, entry: sessionRow(session) };
    });
  },

  'sessions.delete': ({ key }, call) =>
    call.inTurn({ sessionKey: key }, async () => {
      const { sessionKey, deleted } = await call.tell(routing.deleteSession, { sessionKey: key });
      return { ok: true, key: sessionKey, deleted };
    }),

  'sessions.preview': async ({ keys, limit, maxChars }, call) => {
    const { previews } = await call.ask(routing.previewSessions, {
      sessionKeys: keys,
      ...(limit === undefined ? {} : { limit }),
      ...(maxChars === undefined ? {} : { maxChars }),
    });
    const shown = previews.map(({ sessionKey, status, messages }) => ({ key: sessionKey, status, items: messages.map(({ role, text }) => ({ role, text })) }));
    return { ts: call.services.now(), previews: shown };
  },
};
