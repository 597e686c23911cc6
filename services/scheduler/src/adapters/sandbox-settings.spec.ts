import { TenantConfig, type TenantConfigInput } from '@plexus/agent-config';
import { sandboxes } from './sandbox-settings.js';

const of = (input: TenantConfigInput | undefined) => sandboxes(() => input && TenantConfig.parse(input));
const configured = of({
  agents: {
    list: [
      { id: 'main', default: true },
      { id: 'ops', sandbox: { scope: 'agent', prune: { idleMs: 60_000 } } },
    ],
  },
});

describe('the VM of an agent', () => {
  it('is the same however its id is written', () => {
    for (const agentId of ['ops', 'OPS', ' Ops ']) expect(configured('acme', { scope: 'user', agentId })).toEqual({ scope: 'agent:ops', idleMs: 60_000 });
    for (const scope of ['agent:ops', 'agent:OPS', 'agent: Ops']) expect(configured('acme', { scope })).toEqual({ scope: 'agent:ops' });
  });

  it('is refused when no such agent is configured, by whichever way it is named', () => {
    const refused = expect.objectContaining({ code: 'NOT_FOUND', details: { agentId: 'ghost' } });
    expect(() => configured('acme', { scope: 'user', agentId: 'Ghost' })).toThrow(refused);
    expect(() => configured('acme', { scope: 'agent:ghost' })).toThrow(refused);
  });

  it('is any where the configuration lists no agents', () => {
    expect(of({ agents: { list: [] } })('acme', { scope: 'agent:Any One' })).toEqual({ scope: 'agent:any-one' });
    expect(of(undefined)('acme', { scope: 'user', agentId: 'any' })).toEqual({ scope: 'user' });
  });

  it('of everything else is what was asked for', () => {
    for (const scope of ['user', 'shared', 'session:S-1']) expect(configured('acme', { scope })).toEqual({ scope });
  });
});
