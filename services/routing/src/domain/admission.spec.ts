import fc from 'fast-check';
import { type AdmissionPolicy, admit, type Stranger } from './admission.js';

const policy = (more: Partial<AdmissionPolicy> = {}): AdmissionPolicy => ({ dmPolicy: 'pairing', groupPolicy: 'allowlist', allowFrom: [], ...more });
const stranger = (more: Partial<Stranger> = {}): Stranger => ({ channel: 'telegram', chatKind: 'dm', chatId: '42', senderId: '42', ...more });

test.each<[string, Partial<AdmissionPolicy>, Partial<Stranger>, object]>([
  ['a stranger is to be paired', {}, {}, { kind: 'pair' }],
  ['an approved one is not', {}, { decision: 'approved' }, { kind: 'admit' }],
  ['a listed one is not', { allowFrom: ['TELEGRAM:42'] }, {}, { kind: 'admit' }],
  ['an approval counts for nothing under a list', { dmPolicy: 'allowlist' }, { decision: 'approved' }, { kind: 'refuse', reason: 'dm-not-listed' }],
  ['a rejected one stays out of an open account', { dmPolicy: 'open' }, { decision: 'rejected' }, { kind: 'refuse', reason: 'rejected' }],
  ['nobody', { dmPolicy: 'disabled', allowFrom: ['*'] }, {}, { kind: 'refuse', reason: 'dm-disabled' }],
  ['everybody', { dmPolicy: 'allowlist', allowFrom: [' * '] }, {}, { kind: 'admit' }],
  ['a name without @ is an id', { dmPolicy: 'allowlist', allowFrom: ['ada'] }, { username: 'ada' }, { kind: 'refuse', reason: 'dm-not-listed' }],
  ['an id of another channel', { dmPolicy: 'allowlist', allowFrom: ['slack:42'] }, {}, { kind: 'refuse', reason: 'dm-not-listed' }],
  ['a group by its sender', { groupAllowFrom: ['7'] }, { chatKind: 'group', senderId: '7' }, { kind: 'admit' }],
  ['a group by its id', { groupAllowFrom: ['telegram:-100'] }, { chatKind: 'group', chatId: '-100' }, { kind: 'admit' }],
  ['a group by the list of direct messages', { allowFrom: ['7'] }, { chatKind: 'channel', senderId: '7' }, { kind: 'admit' }],
  [
    'a group whose list is empty',
    { groupAllowFrom: [], allowFrom: ['7'] },
    { chatKind: 'group', senderId: '7' },
    { kind: 'refuse', reason: 'group-not-listed' },
  ],
  ['groups switched off', { groupPolicy: 'disabled', groupAllowFrom: ['*'] }, { chatKind: 'group' }, { kind: 'refuse', reason: 'group-disabled' }],
])('%s', (_what, rules, who, verdict) => {
  expect(admit(policy(rules), stranger(who))).toEqual(verdict);
});

test('nobody is admitted to a disabled account, and pairing is for direct messages alone', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('dm', 'group', 'channel') as fc.Arbitrary<Stranger['chatKind']>,
      fc.constantFrom(undefined, 'approved', 'rejected') as fc.Arbitrary<Stranger['decision']>,
      fc.array(fc.constantFrom('*', '42', '@ada', 'telegram:42'), { maxLength: 3 }),
      (chatKind, decision, allowFrom) => {
        expect(admit(policy({ dmPolicy: 'disabled', groupPolicy: 'disabled', allowFrom }), stranger({ chatKind, decision })).kind).toBe('refuse');
        const { kind } = admit(policy({ allowFrom }), stranger({ chatKind, decision }));
        if (kind === 'pair') expect(chatKind).toBe('dm');
        if (decision === 'rejected') expect(kind).toBe('refuse');
      },
    ),
  );
});
