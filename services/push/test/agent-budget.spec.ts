import type { RpcContext } from '@plexus/bus';
import { pushTriggersContracts } from '@plexus/contracts';
import { FakeClock } from '@plexus/kernel';
import { toolCaller } from '../src/adapters/nats/trigger-caller.js';
import { AgentTools } from '../src/application/triggers/agent-tools.js';
import type { Outgoing, TriggerStore } from '../src/application/triggers/trigger-ports.js';
import { createEngine } from '../src/domain/engine/engine.js';
import type { LogInput } from '../src/domain/engine/types.js';
import { DIRECT_HIT } from '../src/domain/triggers/notice.js';

const T0 = Date.UTC(2026, 10, 21, 10);

/** Notifications that somebody with this role makes by the tool, as they enter the log. */
async function notified(role: 'vm' | 'user', count: number, agentRunId?: string): Promise<Outgoing[]> {
  const sent: Outgoing[] = [];
  const store = { transaction: (work: (tx: unknown) => unknown) => work({ publish: (messages: Outgoing[]) => void sent.push(...messages) }) };
  let made = 0;
  const tools = new AgentTools(
    store as unknown as TriggerStore,
    { idOf: async () => undefined },
    new FakeClock(T0),
    () => `id-${made++}`,
    () => {},
  );
  const principal = { tenant: 'acme', user: 'ann', role, scopes: ['operator.write'], credentialId: role === 'vm' ? 'vm-7:3' : 'token-1' };
  const caller = toolCaller({ tenant: 'acme', principal } as unknown as RpcContext, 'operator.write');
  for (let n = 0; n < count; n += 1) {
    const given = agentRunId === undefined ? {} : { agentRunId };
    await tools.notify(caller, pushTriggersContracts.notifyUser.data.parse({ summary: `Look at this, ${n}`, ...given }));
  }
  return sent;
}

/** What the decider makes of them, all within an hour. */
function reasons(sent: readonly Outgoing[]): string[] {
  const engine = createEngine();
  let state = engine.emptyUser('epoch');
  return sent.flatMap((message, n) => {
    if (message.kind !== 'notice') throw new Error('a notification is no event');
    const { event, agent } = message;
    const data = { event, hits: [DIRECT_HIT], score: 1, ...(agent === undefined ? {} : { agent }) };
    const input = { kind: 'candidate', id: event.key, tenant: 'acme', user: 'ann', seq: n + 1, at: T0 + n * 1_000, data } as LogInput;
    const outcome = engine.reduce(state, input, engine.emptyShared(), { seen: false });
    state = outcome.state;
    return outcome.decisions.map(({ reason }) => reason.split(':')[0] as string);
  });
}

describe('what an agent may cause in an hour', () => {
  it.each([
    ['names its run', 'run-1'],
    ['does not say which run it is', undefined],
  ])('is bounded for a VM that %s', async (_, run) => {
    const made = reasons(await notified('vm', 60, run));
    expect(made.filter((reason) => reason === 'source_budget')).toHaveLength(10);
    expect(made.slice(0, 50)).not.toContain('source_budget');
  });

  it('is no matter of people, who speak for themselves', async () => {
    expect(reasons(await notified('user', 60))).not.toContain('source_budget');
  });
});
