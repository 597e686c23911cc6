import path from 'node:path';
import { startTestMesh, type TestMesh, waitFor } from '../../src/index.js';
import { ForeignPublisher } from './foreign-publisher.js';
import { MeshUser } from './mesh-user.js';

/** The aim is 15 s, and `npm run chaos` measures it; a slow machine under load only has to get there. */
const RECOVERY_GUARD_MS = 120_000;
const ROUNDS = 12;
const KILL_AT = 4;

describe('kill -9 in the middle of traffic', () => {
  let mesh: TestMesh;
  let user: MeshUser;
  let publisher: ForeignPublisher;

  beforeAll(async () => {
    mesh = await startTestMesh();
    user = new MeshUser(mesh.gateway.http, mesh.token);
    publisher = await ForeignPublisher.connect(path.join(mesh.stateDir, 'credentials/demo.url'));
    await user.follow('case', 'case-7');
  }, 120_000);

  afterAll(async () => {
    await publisher?.close();
    await mesh?.stop();
  }, 60_000);

  it.each(['gateway', 'routing', 'push', 'memory', 'scheduler', 'runtime', 'nats', 'postgres'])(
    'of %s loses and doubles nothing that was acknowledged, and the mesh is whole again by itself',
    async (victim) => {
      const sessionKey = `agent:main:crash-${victim}`;
      // The VM exists before the kill, so that the runtime is there to be killed.
      const runs = [await user.say(sessionKey, `warm up before ${victim}`)];
      await user.complete(sessionKey, runs);
      const events: string[] = [];
      const memories: string[] = [];
      let recovered: Promise<void> | undefined;
      for (let round = 0; round < ROUNDS; round += 1) {
        if (round === KILL_AT) {
          await mesh.kill(victim);
          recovered = mesh.whole(RECOVERY_GUARD_MS);
          // Awaited below; until then a rejection must not count as unhandled.
          recovered.catch(() => undefined);
        }
        const eventId = `${victim}-${round}`;
        const [runId] = await Promise.all([
          user.say(sessionKey, `message ${round} around the end of ${victim}`),
          publisher.publish(eventId, 'case-7', `event ${eventId}`),
          user.remember(`crashnote${victim}${round} was written around the end of ${victim}`),
        ]);
        runs.push(runId);
        events.push(eventId);
        memories.push(`crashnote${victim}${round}`);
      }
      await recovered;

      const messages = await user.complete(sessionKey, runs);
      for (const runId of runs) {
        expect(messages.filter((message) => message.runId === runId).map((message) => message.role)).toEqual(['user', 'assistant']);
      }
      const inbox = await waitFor(
        async () => {
          const items = await user.inbox();
          return events.every((id) => items.some((item) => item.events.some((event) => event.id === id))) ? items : undefined;
        },
        { timeoutMs: 120_000, what: 'every acknowledged event in the inbox' },
      );
      const delivered = inbox.flatMap((item) => item.events.map((event) => event.id));
      for (const id of events) expect(delivered.filter((other) => other === id)).toEqual([id]);
      expect(inbox.map((item) => item.offset)).toEqual(inbox.map((_item, index) => index + 1));
      for (const word of memories) expect((await user.recall(word)).filter((hit) => hit.content.startsWith(`${word} `))).toHaveLength(1);
    },
    600_000,
  );
});
