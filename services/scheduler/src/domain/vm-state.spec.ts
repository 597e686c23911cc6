import { describe, expect, it } from '@jest/globals';
import { vmContracts } from '@plexus/contracts';
import { admissionPath } from './admit.js';
import { assertEdge, IllegalTransitionError, isTerminal, VM_EDGES, type VmState } from './vm-state.js';

const STATES = vmContracts.VmState.options;
const LEGAL: readonly string[] = `
requested>provisioning requested>backoff requested>stopping requested>terminated
provisioning>booting provisioning>stopping
booting>ready booting>warm booting>stopping
warm>ready warm>stopping warm>suspect
ready>suspect ready>draining ready>pausing ready>stopping
suspect>ready suspect>stopping
draining>ready draining>pausing draining>stopping
pausing>stopping
stopping>paused stopping>backoff stopping>requested stopping>terminated stopping>failed
paused>requested paused>terminated
backoff>requested backoff>failed backoff>terminated
`
  .trim()
  .split(/\s+/);

describe('the states of a VM', () => {
  it.each(STATES.flatMap((from) => STATES.map((to) => [from, to] as const)))('%s → %s is allowed exactly when the table lists it', (from, to) => {
    if (LEGAL.includes(`${from}>${to}`)) expect(() => assertEdge(from, to)).not.toThrow();
    else expect(() => assertEdge(from, to)).toThrow(IllegalTransitionError);
  });

  it('names every state of the contract', () => {
    expect(Object.keys(VM_EDGES).sort()).toEqual([...STATES].sort());
  });

  it('ends in failed and terminated only', () => {
    expect(STATES.filter(isTerminal)).toEqual(['failed', 'terminated']);
  });

  it('lets a runtime in along legal edges only, and never once it is being stopped', () => {
    for (const state of STATES) {
      let at: VmState = state;
      for (const next of admissionPath(state) ?? []) {
        assertEdge(at, next);
        at = next;
      }
    }
    expect(STATES.filter((state) => admissionPath(state) === undefined)).toEqual(['requested', 'paused', 'backoff', 'stopping', 'failed', 'terminated']);
  });
});
