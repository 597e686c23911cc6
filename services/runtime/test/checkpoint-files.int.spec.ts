import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { CheckpointFiles } from '../src/adapters/file/checkpoint-files.js';
import type { Checkpoint } from '../src/application/loop/checkpoint.js';
import { scratchFolder } from './support/runtime-process.js';

let folder: ReturnType<typeof scratchFolder>;

beforeEach(() => {
  folder = scratchFolder();
});
afterEach(() => folder.remove());

const checkpoint = (n: number, text = `answer ${n}`): Checkpoint => ({
  conversation: [{ role: 'user', text }],
  run: { runId: `r${n}`, turns: [{ message: 'x', shown: [], steps: n, done: false }] },
});
const filesIn = (place: string): string[] => readdirSync(place).sort();
const store = (place = path.join(folder.path, 'checkpoints')): CheckpointFiles => new CheckpointFiles(place, () => undefined);

describe('checkpoints on disk', () => {
  it('are JSON, numbered, and the newest ten are kept, also over restarts', async () => {
    for (let n = 1; n <= 8; n++) await store().save(checkpoint(n));
    const again = store();
    await Promise.all([9, 10, 11, 12, 13].map((n) => again.save(checkpoint(n))));
    const names = filesIn(path.join(folder.path, 'checkpoints'));
    expect(names).toEqual(Array.from({ length: 10 }, (_, i) => `${String(i + 4).padStart(10, '0')}.json`));
    for (const name of names) expect(JSON.parse(readFileSync(path.join(folder.path, 'checkpoints', name), 'utf8'))).toHaveProperty('checkpoint.run');
    expect(await store().newest()).toEqual(checkpoint(13));
  });

  it('hold whatever a tool was given or returned', async () => {
    const odd = checkpoint(1, '\u0000 "__proto__" 👋 \ud800');
    await store().save(odd);
    expect((await store().newest())?.conversation).toEqual(odd.conversation);
  });

  it('are none where there is no folder', async () => {
    expect(await store().newest()).toBeUndefined();
  });

  it('give the one before when the newest was cut or changed at any point, and when only its beginning was written beside its place', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.boolean(), fc.boolean(), async (at, isCut, isBeside) => {
        const place = path.join(folder.path, String(run++));
        mkdirSync(place);
        const written = store(place);
        await written.save(checkpoint(1));
        await written.save(checkpoint(2));
        const newest = path.join(place, filesIn(place).at(-1) as string);
        const bytes = readFileSync(newest);
        const point = at % bytes.length;
        if (isBeside) writeFileSync(path.join(place, '0000000003.json.tmp'), bytes.subarray(0, point));
        else if (isCut) writeFileSync(newest, bytes.subarray(0, point));
        else {
          bytes[point] = (bytes[point] as number) ^ 1;
          writeFileSync(newest, bytes);
        }
        expect(await store(place).newest()).toEqual(checkpoint(isBeside ? 2 : 1));
        await store(place).save(checkpoint(3));
        expect(await store(place).newest()).toEqual(checkpoint(3));
        expect(filesIn(place).filter((name) => !name.endsWith('.json'))).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});
