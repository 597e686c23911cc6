import { plexusError, type Principal, type RpcContract } from '@plexus/contracts';
import { VmSessions } from '../../domain/vm-sessions.js';
import { NOTIFY_METHODS } from './notify-methods.js';
import type { RequestContext } from './request-context.js';

/** One VM of a user with one session that runs `run-1`; push answers as told. */
function asking(answer: unknown, known: { readonly runs?: readonly string[] } = {}) {
  const asked: string[] = [];
  const calls: { name: string; principal: Principal; data: unknown }[] = [];
  const call = async (rpc: RpcContract, _tenant: string, data: unknown, { principal }: { principal: Principal }) => {
    if (rpc.name === 'get-run') {
      const { runId, sessionKey } = data as { runId: string; sessionKey: string };
      asked.push(runId);
      return known.runs?.includes(runId) === true ? { run: { runId, sessionKey } } : {};
    }
    calls.push({ name: rpc.name, principal, data });
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const sessions = new VmSessions();
  sessions.learnAll([{ sessionId: 's', sessionKey: 'agent:main:main', owner: 'ann', agentId: 'main', runId: 'run-1' }]);
  const context = {
    identity: { tenant: 'acme', vmId: 'vm-1', epoch: 3, owner: 'ann', connGen: 1 },
    services: { mesh: { call } },
    sessions,
    request: { type: 'request', id: 'q1', session_id: 's', method: '', params: {} },
    signal: new AbortController().signal,
  } as unknown as RequestContext;
  return { calls, asked, sessions, ask: (method: string, params: object) => NOTIFY_METHODS[method]?.(params, context) };
}

describe('what agents in VMs ask of push', () => {
  it('is asked in the name of the owner of their session, with the run that asks, once per request', async () => {
    const { calls, ask } = asking({ eventId: 'e1', user: 'ann' });
    expect(await ask('notify_user', { summary: 'Done', case_id: 'case-7', user: 'ben', text: null })).toEqual({ event_id: 'e1' });
    expect(calls).toEqual([
      {
        name: 'notify-user',
        principal: expect.objectContaining({ tenant: 'acme', user: 'ann', role: 'vm' }),
        data: { summary: 'Done', caseId: 'case-7', agentRunId: 'run-1', idempotencyKey: 'vm-1:3:q1' },
      },
    ]);
  });

  it('begins research and says how far it is', async () => {
    const begun = asking({ runId: 'dsp_1' });
    begun.sessions.learnFrom({ type: 'user_message', session_id: 's', data: { metadata: { run_id: 'run-2' } } });
    begun.sessions.learnFrom({ type: 'user_message', session_id: 's', data: { metadata: { run_id: 'run-3' } } });
    expect(await begun.ask('dispatch_research', { query: 'x', run_id: 'run-2' })).toEqual({ run_id: 'dsp_1' });
    expect(await begun.ask('dispatch_and_notify', { query: 'x', agent_id: 'scout', summary: 'y' })).toEqual({ run_id: 'dsp_1' });
    expect(begun.calls.map(({ data }) => data)).toMatchObject([{ agentRunId: 'run-2' }, { agentId: 'scout', summary: 'y', agentRunId: 'run-3' }]);
    expect(begun.asked).toEqual([]);
    expect(await asking({ run: { state: 'done', result: 'Found.' } }).ask('dispatch_status', { run_id: 'dsp_1' })).toEqual({ state: 'done', result: 'Found.' });
  });

  it('counts against a run of the session that asks, whatever run the VM names', async () => {
    const forged = asking({ eventId: 'e1', user: 'ann' }, { runs: ['handed-over-elsewhere'] });
    for (const run_id of ['made-up-1', 'made-up-2', 'handed-over-elsewhere']) await forged.ask('notify_user', { summary: 'Done', run_id });
    expect(forged.calls.map(({ data }) => (data as { agentRunId: string }).agentRunId)).toEqual(['run-1', 'run-1', 'handed-over-elsewhere']);
    forged.sessions.learnAll([{ sessionId: 's', sessionKey: 'agent:main:main', owner: 'ann', agentId: 'main' }]);
    await forged.ask('notify_user', { summary: 'Done', run_id: 'made-up-3' });
    expect(forged.calls.at(-1)?.data).toMatchObject({ agentRunId: 'vm:vm-1' });
  });

  it('is refused at once when a quota is used up, or the parameters are none', async () => {
    const full = asking(plexusError('QUOTA_EXCEEDED'));
    await expect(full.ask('dispatch_research', { query: 'x' })).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect(full.calls).toHaveLength(1);
    await expect(full.ask('notify_user', { summary: '' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
