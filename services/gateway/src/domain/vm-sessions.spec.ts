import fc from 'fast-check';
import { VmSessions } from './vm-sessions.js';

const entry = { sessionId: 's1', sessionKey: 'agent:main:main', owner: 'me', agentId: 'main' };

describe('the sessions of a VM connection', () => {
  it('come with the attach and with start_session, and know the run that was handed over last', () => {
    const sessions = new VmSessions();
    expect(sessions.learnAll([entry])).toBe(0);
    sessions.learnFrom({ type: 'start_session', data: { session_id: 's2', session_key: 'k', owner: 'ann', agent_id: 'a' } });
    sessions.learnFrom({ type: 'user_message', session_id: 's2', data: { metadata: { run_id: 'r1' } } });
    expect(sessions.get('s1')).toEqual({ ...entry, runId: undefined, runs: [] });
    expect(sessions.get('s2')).toEqual({ sessionId: 's2', sessionKey: 'k', owner: 'ann', agentId: 'a', runId: 'r1', runs: ['r1'] });
    expect(sessions.get('s3')).toBeUndefined();
  });

  it('property: survive whatever stands in a frame or an answer', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (entries, data) => {
        const sessions = new VmSessions();
        expect(sessions.learnAll(entries)).toBeGreaterThanOrEqual(0);
        sessions.learnFrom({ type: 'start_session', data });
        sessions.learnFrom({ type: 'user_message', session_id: 's', data });
      }),
    );
  });
});
