import path from 'node:path';
import { waitFor } from '../../testing/src/wait-for.js';
import { startNatsServer } from '../src/index.js';
import { JetStreamWatch } from '../src/jetstream-watch.js';
import { scratchFolder } from './scratch.js';

const GIB = 1024 ** 3;

describe('the watch over the embedded nats-server', () => {
  it('starts one that hangs again; while its disk is full it says so and waits for room', async () => {
    const dir = path.join(scratchFolder(), 'nats');
    const server = await startNatsServer({ dir });
    const notes: string[] = [];
    let free: number | undefined = GIB;
    let restarts = 0;
    const watch = await JetStreamWatch.start({
      access: { natsUrl: server.url, seedFile: undefined },
      dir,
      restart: async () => {
        restarts += 1;
        server.process.signal('SIGCONT');
      },
      note: (line) => notes.push(line),
      everyMs: 500,
      patienceMs: 4_000,
      roomEveryMs: 100,
      freeBytes: async () => {
        if (free === undefined) throw new Error('no such folder');
        return free;
      },
    });
    try {
      server.process.signal('SIGSTOP');
      await waitFor(() => restarts >= 1);
      expect(notes[0]).toMatch(/^nats-server has stored and answered nothing for \d+ s; starting it again$/);

      free = 1024;
      notes.length = 0;
      const before = restarts;
      server.process.signal('SIGSTOP');
      await waitFor(() => notes.length > 0);
      expect(notes[0]).toContain(`the disk of ${dir} is full`);
      expect(restarts).toBe(before);
      free = GIB;
      await waitFor(() => restarts > before);

      free = undefined;
      const again = restarts;
      server.process.signal('SIGSTOP');
      await waitFor(() => restarts > again);
    } finally {
      server.process.signal('SIGCONT');
      await watch.stop();
      await server.stop();
    }
  });
});
