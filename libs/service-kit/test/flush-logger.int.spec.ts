import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const fixture = path.join(path.dirname(fileURLToPath(import.meta.url)), 'fixtures/logs-and-leaves.mjs');

describe('flushLogger', () => {
  // Without it about every third process leaves with a line that is still on its way, which then lands behind later ones.
  it.each(Array.from({ length: 8 }, (_, round) => round + 1))('lets a process leave only when all its lines are out, in order (round %i)', async () => {
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      // Nobody reads until everything is logged: more than a pipe holds.
      await once(child.stderr, 'data');
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      expect(await once(child, 'close')).toEqual([0, null]);
      const numbers = text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { number: number }).number);
      expect(numbers).toEqual(Array.from({ length: 600 }, (_, number) => number));
    } finally {
      child.kill('SIGKILL');
    }
  });
});
