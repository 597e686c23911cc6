// `node bench/soak.ts [seconds] [picture.svg]` (600 by default): one gateway under everything that comes and goes, and whether its memory stays. 300 connections
// stay and hear events, others come and go all the time, resume their inbox, or read nothing for half a minute. Every five seconds the garbage is collected and
// memory is read; the slope of the last two thirds says what a leak would show. Prints figures, and writes a picture where a file is named.
import { writeFileSync } from 'node:fs';
import { pushContracts as push, sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { Crowd, portOf } from './support/crowd.ts';
import { print } from './support/figures.ts';
import { RawPeer } from './support/raw-peer.ts';
import { memoryOf, startGateway } from './support/servers.ts';
import { type Point, picture, slopeOf } from './support/slope.ts';

const seconds = Number(process.argv[2] ?? 600);
const STAYING = 300;
const SLOW = 10;
const SAMPLE_S = 5;
const EVENTS_PER_S = 5;
const NEWCOMERS_PER_S = 10;
const RESUMES_PER_S = 5;
const REPLAYED = 20;
const LARGE_EVERY_S = 10;
const KEPT_ITEMS = 1_000;
const MIB = 1_048_576;

const gateway = await startGateway();
const target = { port: portOf(gateway.ws), token: gateway.token };
const count = { events: 0, newcomers: 0, resumes: 0, slow: 0, failures: 0 };
const inbox = serveInbox();
const crowd = await Crowd.start();
await crowd.open(target, STAYING, 8);
const session = { sessionId: ulid(), sessionKey: 'agent:main:soak', owner: 'me', agentId: 'main' };
const slow: { peer: RawPeer; until: number }[] = [];
const heap: Point[] = [];
const resident: Point[] = [];

const startedAt = performance.now();
const elapsed = () => (performance.now() - startedAt) / 1_000;
for (let second = 0; elapsed() < seconds; second += 1) {
  const next = new Promise((resolve) => setTimeout(resolve, 1_000));
  await Promise.all([say(second), come(), resume(), dawdle()]).catch((error: unknown) => {
    count.failures += 1;
    process.stderr.write(`${String(error)}\n`);
  });
  if (second % SAMPLE_S === 0) await sample();
  await next;
}
await sample();

const settled = (points: readonly Point[]) => points.slice(Math.floor(points.length / 3));
const what = `soak of ${Math.round(elapsed() / 60)} min`;
for (const [name, points] of [
  ['heap and buffers after a collection', heap],
  ['resident memory', resident],
] as const) {
  print(
    `${what}, ${name}`,
    'MiB',
    points.map(({ value }) => value),
  );
  print(`${what}, ${name}, slope of the last two thirds`, 'MiB/h', [slopeOf(settled(points)) * 3_600]);
}
const { open, fewestEvents } = await crowd.state();
print(`${what}, connections that stayed`, 'connections', [open], { goal: `>= ${STAYING}` });
print(`${what}, events that each of them got at least`, 'events', [fewestEvents]);
process.stdout.write(`${JSON.stringify(count)}\n`);
const file = process.argv[3];
if (file !== undefined) {
  const lines = [
    { name: 'resident', colour: '#888', points: resident },
    { name: 'heap and buffers', colour: '#06c', points: heap },
  ];
  writeFileSync(file, picture('Memory of one gateway', 'MiB', lines));
}
for (const { peer } of slow) peer.close();
crowd.stop();
await gateway.stop();
process.exit(0);

async function say(second: number): Promise<void> {
  for (let index = 0; index < EVENTS_PER_S; index += 1) {
    const text = index === 0 && second % LARGE_EVERY_S === 0 ? 'x'.repeat(50_000) : `event ${count.events}`;
    count.events += 1;
    const data = { ...session, event: { type: 'message' as const, text, messageId: ulid() } };
    await gateway.bus.publish(sessionContracts.sessionEvent, { tenant: 'default', key: [session.sessionId], data });
  }
  inbox.deliver();
}

async function come(): Promise<void> {
  for (let index = 0; index < NEWCOMERS_PER_S; index += 1) {
    (await RawPeer.open(target)).close();
    count.newcomers += 1;
  }
}

async function resume(): Promise<void> {
  for (let index = 0; index < RESUMES_PER_S; index += 1) {
    const peer = await RawPeer.open(target);
    const cursor = `${inbox.epoch}:${Math.max(0, inbox.head - REPLAYED)}`;
    peer.send(JSON.stringify({ type: 'req', id: 'resume', method: 'inbox.resume', params: { cursor } }));
    count.resumes += 1;
    setTimeout(() => peer.close(), 1_500);
  }
}

/** Some read nothing for a while; then they go, and others take their place. */
async function dawdle(): Promise<void> {
  for (const gone of slow.filter(({ until }) => elapsed() > until)) {
    slow.splice(slow.indexOf(gone), 1);
    gone.peer.close();
  }
  while (slow.length < SLOW) {
    const peer = await RawPeer.open(target);
    peer.socket.pause();
    slow.push({ peer, until: elapsed() + 20 + Math.random() * 20 });
    count.slow += 1;
  }
}

async function sample(): Promise<void> {
  const { heap: used, external, rss } = await memoryOf(gateway.child);
  heap.push({ at: elapsed(), value: (used + external) / MIB });
  resident.push({ at: elapsed(), value: rss / MIB });
}

/** The inbox of the one user, in memory; only its newest items are kept. */
function serveInbox() {
  const epoch = 'soak';
  let head = 0;
  const items: push.InboxItem[] = [];
  const minOffset = () => Math.max(0, head - items.length);
  gateway.pushBus.serve(push.inboxHeads, async ({ users }) => ({ heads: users.map((user) => ({ user, epoch, head })) }));
  gateway.pushBus.serve(push.fetchInbox, async ({ after, limit }) => ({
    epoch,
    head,
    minOffset: minOffset(),
    unread: items.length,
    items: after === undefined ? [...items].reverse().slice(0, limit) : items.filter(({ offset }) => offset > after).slice(0, limit),
  }));
  return {
    epoch,
    get head() {
      return head;
    },
    deliver() {
      head += 1;
      const item: push.InboxItem = {
        offset: head,
        id: `dlv_${head}`,
        kind: 'notification',
        priority: 'medium',
        title: `Item ${head}`,
        events: [],
        reasons: [],
        state: 'new',
        createdAt: new Date().toISOString(),
      };
      items.push(item);
      if (items.length > KEPT_ITEMS) items.shift();
      gateway.pushBus.publishLive(push.inboxItemHint, 'default', ['me'], { epoch, offset: head, item });
    },
  };
}
