import type { VmClaims } from '../application/admission.js';
import { JoseVmTokens } from './jose-vm-tokens.js';

const [OLD, NEW] = ['an old secret of thirty-two bytes or more', 'a new secret of thirty-two bytes or more'];
const claims: VmClaims = { vmId: 'vm-1', epoch: 1, tenant: 'acme', userId: 'ada', orgId: 'acme' };
const minted = (by: JoseVmTokens) => by.mint(claims, 60_000);

describe('a new secret of VM tokens, replica by replica', () => {
  // As the runbook has it: first everybody knows both, then everybody signs with the new one, then the old one is forgotten.
  const before = new JoseVmTokens(OLD);
  const knowsBoth = new JoseVmTokens(OLD, NEW);
  const signsNew = new JoseVmTokens(NEW, OLD);
  const after = new JoseVmTokens(NEW);

  it.each([
    ['the first step', before, knowsBoth],
    ['the second step', knowsBoth, signsNew],
    ['the third step', signsNew, after],
  ])('in %s replicas of before and after accept what the other signs', async (_step, old, next) => {
    expect(await next.verify(await minted(old))).toEqual(claims);
    expect(await old.verify(await minted(next))).toEqual(claims);
  });

  it('afterwards the old one opens nothing, and a step that is left out would have shut VMs out', async () => {
    expect(await after.verify(await minted(before))).toBeUndefined();
    expect(await before.verify(await minted(signsNew))).toBeUndefined();
  });
});
