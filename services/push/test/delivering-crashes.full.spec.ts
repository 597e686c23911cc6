import { waitFor } from '@plexus/testing';
import { HttpStandIn } from './support/channel-stand-ins.js';
import { DeliveringWorld } from './support/delivering-world.js';
import { PushProcess } from './support/mesh.js';

const SIGNING = `whsec_${Buffer.from('a key that nobody may see, ever').toString('base64')}`;

describe('a process that is killed while it delivers', () => {
  let world: DeliveringWorld;
  let receiver: HttpStandIn;
  const processes: PushProcess[] = [];
  const start = async () => {
    const process = await PushProcess.start(world.mesh, world.database.url, { PUSH_PRIVATE_HOSTS: '127.0.0.1', LOG_LEVEL: 'debug' });
    processes.push(process);
    return process;
  };

  beforeEach(async () => {
    world = await DeliveringWorld.start();
    receiver = await HttpStandIn.start();
    await world.configure({ webhook: { signingSecret: world.secret('signing', SIGNING), timeoutMs: 60_000 } });
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.end()));
    await receiver?.stop();
    await world?.stop();
  });

  it('between sending and writing it down: sent again to that contact alone, under the same id, and neither logs nor rows hold the secret', async () => {
    const user = world.newUser();
    await world.contact(user, 'webhook', `${receiver.url}/quick`);
    await world.contact(user, 'webhook', `${receiver.url}/slow-one`);
    const [id = ''] = await world.items(user, 1);
    let held = true;
    receiver.before = async ({ path }) => {
      if (path === '/slow-one') await waitFor(() => !held, { what: 'the end of the first process', timeoutMs: 300_000 });
    };
    const first = await start();
    await world.command(user, id, 'webhook');
    await waitFor(() => receiver.requests.some(({ path }) => path === '/slow-one'), { what: 'the slow request' });
    await world.untilAttempts(id, (lines) => lines.includes('webhook sent') && lines.includes('webhook sending'));
    await first.end('SIGKILL');
    held = false;
    // As if the time of the attempt were over: nobody else can be sending it.
    await world.rows("UPDATE delivery_attempt SET lease_until = now() WHERE status = 'sending'");
    await start();
    const lines = await world.untilAttempts(id, (found) => found.filter((line) => line === 'webhook sent').length === 2);
    expect(lines.sort()).toEqual(['webhook failed interrupted', 'webhook sent', 'webhook sent']);
    const paths = receiver.requests.map(({ path }) => path).sort();
    expect(paths).toEqual(['/quick', '/slow-one', '/slow-one']);
    expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([id]));
    const written = JSON.stringify(await world.rows('SELECT * FROM delivery_attempt')) + processes.map((process) => process.said).join();
    expect(written).toContain(id);
    expect(written).not.toContain(SIGNING.slice(6));
  });

  it('a killed replica leaves nothing that the others do not deliver', async () => {
    const user = world.newUser();
    await world.contact(user, 'webhook', `${receiver.url}/many`);
    const ids = await world.items(user, 200);
    const [one, two] = await Promise.all([start(), start()]);
    for (const id of ids) await world.command(user, id, 'webhook');
    await waitFor(() => receiver.requests.length > 40, { what: 'the first deliveries' });
    await one.end('SIGKILL');
    await world.rows("UPDATE delivery_attempt SET lease_until = least(lease_until, now() + interval '15 seconds') WHERE status = 'sending'");
    await waitFor(
      async () => {
        const [row] = await world.rows<{ n: string }>("SELECT count(DISTINCT delivery_id) AS n FROM delivery_attempt WHERE status = 'sent'");
        return Number(row?.n) === ids.length;
      },
      { what: 'all of them', timeoutMs: 240_000 },
    );
    const reached = new Map<string, number>();
    for (const { headers } of receiver.requests) reached.set(String(headers['webhook-id']), (reached.get(String(headers['webhook-id'])) ?? 0) + 1);
    expect([...reached.keys()].sort()).toEqual([...ids].sort());
    // Only what was under way when it was killed may have come twice.
    expect([...reached.values()].filter((count) => count > 1).length).toBeLessThanOrEqual(8);
    await two.end('SIGTERM');
  });
});
