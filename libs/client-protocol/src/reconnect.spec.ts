import fc from 'fast-check';
import { closeReason } from './codes.js';
import { scopeOfEvent } from './methods.js';
import { DEFAULT_RECONNECT, reconnectDelay } from './reconnect.js';

describe('reconnecting', () => {
  it('property: waits between half and the whole of a doubling interval that ends at the cap', () => {
    fc.assert(
      fc.property(fc.nat({ max: 200 }), fc.double({ min: 0, max: 0.999999, noNaN: true }), (attempt, random) => {
        const full = Math.min(60_000, 1_000 * 2 ** attempt);
        const wait = reconnectDelay(attempt, DEFAULT_RECONNECT, () => random);
        expect(wait).toBeGreaterThanOrEqual(full / 2);
        expect(wait).toBeLessThanOrEqual(full);
      }),
    );
  });
});

describe('close reasons', () => {
  it('property: never exceed 123 bytes, whatever characters they hold', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => Buffer.byteLength(closeReason(text)) <= 123));
  });
});

describe('event families', () => {
  it('are closed to sockets without their scope, and unknown ones to everybody', () => {
    expect(scopeOfEvent('tick')).toBe('everybody');
    expect(scopeOfEvent('chat')).toBe('operator.read');
    expect(scopeOfEvent('session.message')).toBe('operator.read');
    expect(scopeOfEvent('sessions.changed')).toBe('operator.read');
    expect(scopeOfEvent('inbox.item')).toBe('operator.read');
    expect(scopeOfEvent('exec.approval.requested')).toBe('operator.approvals');
    expect(scopeOfEvent('node.pair.requested')).toBe('operator.pairing');
    expect(scopeOfEvent('chatter')).toBe('nobody');
    expect(scopeOfEvent('whatever')).toBe('nobody');
  });
});
