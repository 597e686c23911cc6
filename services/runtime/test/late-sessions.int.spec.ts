import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '@plexus/kernel';
import { WebSocketServer } from 'ws';
import { assemble } from '../src/assemble.js';
import { readConfig } from '../src/config.js';
import { scratchFolder } from './support/runtime-process.js';

describe('sessions, which are loaded after the connection', () => {
  const folder = scratchFolder();
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  afterAll(() => {
    server.close();
    folder.remove();
  });

  it('are let go of also when the runtime is stopped while they are being loaded', async () => {
    const stop = new AbortController();
    server.on('connection', (socket) => socket.once('message', () => stop.abort()));
    if (server.address() === null) await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const env = { VM_USER_ID: 'ada', VM_ID: 'vm-1', VM_EPOCH: '1', CONTROL_PLANE_WS: `ws://127.0.0.1:${port}/ws/vm`, PLEXUS_WORKDIR: folder.path };
    const config = readConfig(env, JSON.stringify({ ticket: 't', token: 't', bootstrapSecret: 's' }));
    let asleep = 0;
    const clock: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic(),
      setTimeout: (run, ms) => systemClock.setTimeout(run, ms),
      async sleep(ms, signal) {
        asleep += 1;
        await systemClock.sleep(ms, signal).finally(() => {
          asleep -= 1;
        });
      },
    };
    const problems: string[] = [];
    await assemble(config, (level, message) => void (level === 'error' && problems.push(message)), clock).run(stop.signal);
    await import('../src/assemble-sessions.js');
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect([asleep, problems]).toEqual([0, []]);
  });
});
