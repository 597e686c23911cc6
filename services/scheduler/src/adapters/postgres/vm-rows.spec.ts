import { describe, expect, it } from '@jest/globals';
import { vmContracts } from '@plexus/contracts';
import { isTerminal } from '../../domain/vm-state.js';
import { LIVE } from './vm-rows.js';

describe('the rows of VMs that live', () => {
  it('finding 8: leave out exactly the states that are ends: nothing behind the query asks for one that it never returns', () => {
    const leftOut = [...LIVE.matchAll(/'(\w+)'/g)].map(([, state]) => state);
    expect(leftOut).toEqual(vmContracts.VmState.options.filter(isTerminal));
  });
});
