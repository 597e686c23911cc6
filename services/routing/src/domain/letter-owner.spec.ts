import { isLetterOf, type PersonTraits } from './letter-owner.js';

const SESSION = '01jd2x3y4z5a6b7c8d9e0f1g2h';
const person: PersonTraits = {
  tenant: 'acme',
  user: 'Ada',
  sessionIds: new Set([SESSION]),
  sessionKeys: new Set(['agent:main:vault']),
  sendIds: new Set(['snd-1']),
  identities: [{ channel: 'telegram', id: '99' }, { id: 'ADA@example.org' }],
};
const of = (subject: string, body?: unknown) => isLetterOf(person, { subject: `plexus.dlq.${subject}`, body });

describe('a dead letter is a person’s', () => {
  it.each([
    ['a run of a session', `acme.run.scheduler-run.v1.${SESSION}`, undefined],
    ['an event of a session whose bytes are no JSON', `acme.session.memory-sessions.v1.${SESSION}`, undefined],
    ['a delivery', 'acme.push.push-deliver.v1.17.x--_41da', undefined],
    ['a memory to write, by its scope', 'acme.memory.memory-write.v1.x--user_3a_41da', undefined],
    ['its owner', 'acme.vm.push-vm-events.v1.vm-1', { data: { owner: 'Ada' } }],
    ['its user', 'acme.crm.push-in.v1.7', { data: { user: 'Ada' } }],
    ['its user, without an envelope', 'acme.crm.push-in.v1.7', { userId: 'Ada' }],
    ['the scope in its body', 'acme.memory.push-memory-events.v1.mem-1', { data: { scope: { kind: 'user', id: 'Ada' } } }],
    ['a session id in the body', 'acme.crm.push-in.v1.7', { data: { sessionId: SESSION } }],
    ['a session key that nobody else has', 'acme.channel.channel-slack.v1.work', { data: { sessionKey: 'agent:main:vault', text: 'x' } }],
    ['a send', 'acme.channel.channel-slack.v1.work', { data: { sendId: 'snd-1' } }],
    ['the outcome of a send', 'acme.slack.routing-send-failed.v1.snd-1', { data: { sendId: 'snd-1' } }],
    ['what they wrote in a channel', 'acme.telegram.routing-inbound.v1.bot', { data: { sender: { id: '99' } } }],
    ['what they wrote anywhere', 'acme.slack.routing-inbound.v1.bot', { data: { sender: { id: 'ada@example.org' } } }],
    ['what was to be said to them alone', 'acme.channel.channel-telegram.v1.bot', { data: { chatKind: 'dm', to: '99' } }],
  ])('by %s', (_by, subject, body) => {
    expect(of(subject, body)).toBe(true);
  });

  it.each([
    ['of another tenant', `other.run.scheduler-run.v1.${SESSION}`, { data: { owner: 'Ada' } }],
    ['whose subject cannot be read', 'acme.Crm.push-in.v1.7', { data: { owner: 'Ada' } }],
    ['of no tenant', '_.unknown.routing-advisories.v1.7', { data: { owner: 'Ada' } }],
    ['of somebody whose name differs in case', 'acme.vm.push-vm-events.v1.vm-1', { data: { owner: 'ada' } }],
    ['that only mentions them', 'acme.crm.push-in.v1.7', { data: { text: 'Ada', owner: 'Bob', members: ['Ada'], about: { user: 'Ada' } } }],
    ['of somebody else with the same session key', 'acme.crm.push-in.v1.7', { data: { sessionKey: 'agent:main:vault', owner: 'Bob' } }],
    ['of a session key that others have', 'acme.crm.push-in.v1.7', { data: { sessionKey: 'agent:main:main' } }],
    ['whose key is their name by chance', 'acme.routing.push-routing-events.v1.x--_41da', undefined],
    ['of the same id in another channel', 'acme.slack.routing-inbound.v1.bot', { data: { sender: { id: '99' } } }],
    ['to a group', 'acme.channel.channel-telegram.v1.bot', { data: { chatKind: 'group', to: '99' } }],
    ['that asks for an erasure', 'acme.user.push-erase.v1.e1', { data: { user: 'Ada' } }],
    ['that is no object', 'acme.crm.push-in.v1.7', ['Ada']],
    ['that is nothing', 'acme.crm.push-in.v1.7', null],
  ])('not one %s', (_what, subject, body) => {
    expect(of(subject, body)).toBe(false);
  });
});
