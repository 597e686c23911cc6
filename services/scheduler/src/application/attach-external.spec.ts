import { FakeClock } from '@plexus/kernel';
import { AttachExternal, type ExternalVms, type WaitingVm } from './attach-external.js';

const OWNER = { tenant: 'acme', subject: 'me', scope: 'user' };
const SECRETS = { ticket: 't', token: 'k', bootstrapSecret: 's', modelApiKey: 'stays here' };

/** A VM that moves on by one step every time somebody waits. */
function fixture(steps: readonly (WaitingVm | undefined)[], issue: ExternalVms['issue'] = async () => SECRETS) {
  const clock = new FakeClock();
  let at = 0;
  let ensured = 0;
  const ensure = async (): Promise<{ vmId: string }> => {
    ensured += 1;
    return { vmId: `vm-${ensured}` };
  };
  const vms: ExternalVms = { ensure, find: async () => steps[Math.min(at, steps.length - 1)], issue };
  const changes = {
    wait: async (_vmId: string, ms: number) => {
      at += 1;
      await clock.advance(ms);
    },
  };
  const attach = new AttachExternal(vms, changes, clock, { ws: 'wss://gateway/ws/vm', attachMs: 600_000 });
  return { clock, execute: (waitMs = 5_000) => attach.execute({ owner: OWNER, template: undefined, waitMs, signal: new AbortController().signal }) };
}
const waiting = (incarnation: WaitingVm['incarnation'], state: WaitingVm['state'] = 'booting'): WaitingVm => ({ state, reason: undefined, incarnation });
const open = { epoch: 3, isExternal: true, attached: false };

describe('attaching a runtime of somebody else', () => {
  it('answers with everything that it needs once the VM waits for it, and with no key of ours', async () => {
    const { clock, execute } = fixture([waiting(undefined, 'requested'), waiting(open)]);
    const answer = await execute();
    const { ticket, token, bootstrapSecret } = SECRETS;
    expect(answer).toEqual({
      vmId: 'vm-1',
      epoch: 3,
      userId: 'me',
      ticket,
      token,
      bootstrapSecret,
      ws: 'wss://gateway/ws/vm',
      expiresAt: clock.now() + 600_000,
    });
  });

  it('waits on when the incarnation was replaced between the look and the ticket', async () => {
    let asked = 0;
    const { execute } = fixture([waiting(open)], async () => {
      asked += 1;
      return asked < 3 ? undefined : SECRETS;
    });
    expect(await execute()).toMatchObject({ ticket: 't' });
    expect(asked).toBe(3);
  });

  it('goes on with another VM when the one that it found is over', async () => {
    expect(await fixture([waiting(undefined, 'stopping'), waiting(undefined, 'terminated'), waiting(open)]).execute()).toMatchObject({ vmId: 'vm-2' });
  });

  it('refuses while a runtime is connected', async () => {
    await expect(fixture([waiting({ ...open, attached: true }, 'ready')]).execute()).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('refuses when the VM is one that the scheduler starts itself', async () => {
    await expect(fixture([waiting({ ...open, isExternal: false })]).execute()).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('says why when the VM does not get as far in time', async () => {
    const stuck: WaitingVm = { state: 'backoff', reason: 'quota', incarnation: undefined };
    await expect(fixture([stuck]).execute(1_500)).rejects.toMatchObject({ code: 'VM_UNAVAILABLE', details: { state: 'backoff', reason: 'quota' } });
    await expect(fixture([undefined]).execute()).rejects.toMatchObject({ code: 'VM_UNAVAILABLE' });
  });
});
