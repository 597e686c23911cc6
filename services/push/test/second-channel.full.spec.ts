import { isDeepStrictEqual } from 'node:util';
import { pushContracts as push, pushPolicyContracts, SCOPES } from '@plexus/contracts';
import type { RunningService } from '@plexus/service-kit';
import { waitFor } from '@plexus/testing';
import { HttpStandIn } from './support/channel-stand-ins.js';
import { DeliveringWorld } from './support/delivering-world.js';
import { startPush } from './support/mesh.js';

const SIGNING = `whsec_${Buffer.from('a key that nobody may see, ever').toString('base64')}`;
/** Long enough for somebody to look, however busy the machine is. */
const UNSEEN_SECONDS = 20;
const POLICY = `
name: with a second channel
channels:
  - priorities: [P1, P2]
    plan: [{ channel: webhook, afterUnseenSeconds: ${UNSEEN_SECONDS} }]
escalation:
  afterSeconds: [${UNSEEN_SECONDS}]
  channels: [webhook]
`;

/** From an event to the request on the other side, with everything between it. */
describe('events that nobody looks at', () => {
  let world: DeliveringWorld;
  let receiver: HttpStandIn;
  let service: RunningService;

  beforeAll(async () => {
    world = await DeliveringWorld.start();
    receiver = await HttpStandIn.start();
    await world.configure({ webhook: { signingSecret: world.secret('signing', SIGNING) } });
    service = await startPush(world.mesh, world.database.url, { PUSH_PRIVATE_HOSTS: '127.0.0.1' });
    const admin = world.mesh.user('admin', { scopes: [SCOPES.admin] });
    const { policy } = await world.bus.call(pushPolicyContracts.putPolicy, 'acme', { text: POLICY }, admin);
    await world.bus.call(pushPolicyContracts.activatePolicy, 'acme', { version: policy.version }, admin);
  });
  afterAll(async () => {
    await service?.stop('end of the test');
    await receiver?.stop();
    await world?.stop();
  });

  async function follower(): Promise<string> {
    const user = world.newUser();
    await world.contact(user, 'webhook', `${receiver.url}/${user}`);
    await world.bus.call(push.subscribe, 'acme', { scopeKind: 'case', scopeRef: user }, world.mesh.user(user));
    return user;
  }
  const happen = (user: string, severity: string) =>
    world.bus.connection.publish(
      `plexus.in.acme.demo.happened.v1.${user}`,
      JSON.stringify({ specversion: '1.0', source: '/demo', type: 'demo.happened', id: `e-${user}`, severity, data: { caseId: user, summary: 'Look at me' } }),
    );
  const item = (user: string) =>
    waitFor(async () => (await world.bus.call(push.fetchInbox, 'acme', { after: 0 }, world.mesh.user(user))).items[0], { what: `the item of ${user}` });
  const reached = (user: string) => receiver.requests.filter(({ path }) => path === `/${user}`);

  it('go over the second channel and escalate; those that were seen or acknowledged in time do neither', async () => {
    const [seeing, blind, acknowledging, absent] = await Promise.all([follower(), follower(), follower(), follower()]);
    // Those who look are told first, so that whatever would reach them had its turn when the others are reached.
    for (const [user, severity] of [
      [seeing, 'high'],
      [acknowledging, 'critical'],
      [blind, 'high'],
      [absent, 'critical'],
    ] as const) {
      happen(user, severity);
    }
    const seen = await item(seeing);
    await world.bus.call(push.markInbox, 'acme', { ids: [seen.id], state: 'seen' }, world.mesh.user(seeing));
    const taken = await item(acknowledging);
    await world.bus.call(push.ackInbox, 'acme', { deliveryId: taken.id }, world.mesh.user(acknowledging));
    await Promise.all([item(blind), item(absent)]);

    await waitFor(() => reached(blind).length > 0 && reached(absent).length > 0, { what: 'the second channel', timeoutMs: 120_000 });
    const body = (user: string) => JSON.parse(String(reached(user)[0]?.body)).data;
    expect(body(blind)).toMatchObject({ user: blind, title: 'Look at me', item: { kind: 'notification' } });
    expect(body(absent)).toMatchObject({ user: absent, title: 'Not acknowledged: Look at me', item: { kind: 'escalation' } });
    const { items } = await world.bus.call(push.fetchInbox, 'acme', { after: 0 }, world.mesh.user(absent));
    expect(items.map(({ kind, escalates }) => [kind, escalates])).toEqual([
      ['notification', undefined],
      ['escalation', items[0]?.id],
    ]);
    expect([...reached(seeing), ...reached(acknowledging)]).toEqual([]);
    expect(await world.attempts(seen.id)).toEqual([]);
    expect(await world.attempts(taken.id)).toEqual([]);
  });

  it('that repeat and end edit their item, and whoever is connected hears of it', async () => {
    const user = await follower();
    const changes: push.InboxChange[] = [];
    const listening = world.bus.listenLive(push.inboxChangedHint, { tenant: 'acme', key: [user] }, (hint) => void changes.push(...hint.changes));
    const say = (id: string, rest: object) =>
      world.bus.connection.publish(
        `plexus.in.acme.demo.happened.v1.${user}`,
        JSON.stringify({ specversion: '1.0', source: '/demo', type: 'demo.happened', id, severity: 'medium', dedupkey: user, data: { caseId: user }, ...rest }),
      );
    say(`${user}-1`, { eventstate: 'firing' });
    const { id } = await item(user);
    say(`${user}-2`, { eventstate: 'firing' });
    await waitFor(() => changes.some((change) => change.id === id && change.repeats === 1), { what: 'the hint about the repeat' });
    say(`${user}-3`, { eventstate: 'resolved' });
    await waitFor(() => changes.some((change) => change.id === id && change.resolvedAt !== undefined), { what: 'the hint about the end' });
    const now = await item(user);
    expect(isDeepStrictEqual({ repeats: now.repeats, resolved: now.resolvedAt !== undefined }, { repeats: 1, resolved: true })).toBe(true);
    listening.stop();
  });
});
