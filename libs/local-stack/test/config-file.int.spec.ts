import { mkdirSync, rmSync, utimesSync, writeFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../testing/src/wait-for.js';
import { ConfigFile, type ConfigFileOptions, type ConfigTarget } from '../src/index.js';
import { scratchFolder } from './scratch.js';

/** A mesh that takes every document with an `agents` key and keeps it. */
class RecordingTarget implements ConfigTarget {
  readonly applied: string[] = [];
  text = '{}';
  revision = 0;
  failures = 0;
  /** What an `apply` waits for before it looks at anything. */
  gate: Promise<void> = Promise.resolve();
  waiting = 0;

  async current() {
    return { text: this.text, etag: `"${this.revision}"`, exists: this.revision > 0 };
  }

  async apply(text: string, etag: string): ReturnType<ConfigTarget['apply']> {
    if (this.failures > 0) {
      this.failures -= 1;
      throw new Error('nobody home');
    }
    this.waiting += 1;
    await this.gate;
    this.waiting -= 1;
    if (etag !== `"${this.revision}"`) return { outcome: 'conflict' };
    if (!text.includes('agents')) return { outcome: 'rejected', reason: 'agents is missing' };
    this.text = text;
    this.revision += 1;
    this.applied.push(text);
    return { outcome: 'written' };
  }
}

const document = (name: string): string => `{agents: {list: [{id: '${name}'}]}} // ${name}\n`;

describe('a configuration file that is followed', () => {
  let file: string;
  let target: RecordingTarget;
  let followed: ConfigFile;
  let notes: string[];
  let digest: string | undefined;

  const follow = async (more: Partial<ConfigFileOptions> = {}): Promise<void> => {
    followed = new ConfigFile({
      file,
      target,
      note: (line) => notes.push(line),
      memory: {
        read: () => digest,
        write: (value) => {
          digest = value;
        },
      },
      ...more,
    });
    await followed.start();
  };
  /** Something more happens to the file, and that has been noticed: nothing before it can still be on its way. */
  const until = (condition: () => boolean, what: string) => waitFor(condition, { timeoutMs: 60_000, what });

  beforeEach(() => {
    file = path.join(scratchFolder(), 'plexus.json5');
    target = new RecordingTarget();
    notes = [];
    digest = undefined;
  });
  afterEach(() => followed.stop());

  it('is brought to the mesh when it is there, and when it appears', async () => {
    await follow();
    expect(target.applied).toEqual([]);
    writeFileSync(file, document('first'));
    await until(() => target.applied.length === 1, 'the first document');
    expect(target.applied).toEqual([document('first')]);
    await followed.stop();
    writeFileSync(file, document('second'));
    await follow();
    expect(target.applied).toEqual([document('first'), document('second')]);
  });

  it('ten writes in quick succession are one reload of the last', async () => {
    await follow({ settleMs: 2_000 });
    for (let n = 1; n <= 10; n += 1) {
      writeFileSync(file, document(`n${n}`));
      await sleep(15);
    }
    await until(() => target.applied.length > 0, 'a document');
    await followed.idle();
    expect(target.applied.at(-1)).toBe(document('n10'));
    // A machine that stalls for two seconds between two of them has not written them in quick succession; it does not do so every time.
    expect(target.applied.length).toBeLessThan(10);
  });

  it('an invalid file keeps what is in force, says why once, and the next valid one is taken', async () => {
    writeFileSync(file, document('good'));
    await follow();
    writeFileSync(file, '{agents: ');
    await until(() => followed.counts.invalid >= 1, 'the broken file to be skipped');
    writeFileSync(file, '{bindings: []}');
    await until(() => notes.some((line) => line.includes('agents is missing')), 'the refused file to be skipped');
    expect(target.text).toBe(document('good'));
    expect(notes.filter((line) => line.includes('was skipped'))).toEqual([expect.stringContaining('JSON5'), expect.stringContaining('agents is missing')]);
    writeFileSync(file, document('better'));
    await until(() => target.text === document('better'), 'the better file');
  });

  it('deleting and re-creating it reloads once; touching it without a change does nothing', async () => {
    writeFileSync(file, document('before'));
    await follow();
    rmSync(file);
    await sleep(100);
    writeFileSync(file, document('after'));
    await until(() => target.text === document('after'), 'the new file');
    await followed.idle();
    expect(target.applied).toEqual([document('before'), document('after')]);
    const unchanged = followed.counts.unchanged;
    utimesSync(file, new Date(), new Date());
    await until(() => followed.counts.unchanged > unchanged, 'the touch to be seen');
    expect(target.applied).toHaveLength(2);
  });

  it('one that is gone for good leaves the configuration as it is, and says so', async () => {
    writeFileSync(file, document('only'));
    await follow();
    rmSync(file);
    await until(() => followed.counts.missing >= 1, 'the file to be missed');
    expect(notes.at(-1)).toContain('is gone');
    expect(target.text).toBe(document('only'));
  });

  it('a change of a file that it includes counts as a change of it', async () => {
    const folder = path.join(path.dirname(file), 'parts');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'agents.json5'), "{list: [{id: 'one'}]}");
    writeFileSync(file, "{agents: {$include: './parts/agents.json5'}}");
    await follow();
    expect(target.applied).toEqual([JSON.stringify({ agents: { list: [{ id: 'one' }] } })]);
    writeFileSync(path.join(folder, 'agents.json5'), "{list: [{id: 'two'}]}");
    await until(() => target.applied.length === 2, 'the included change');
    expect(target.text).toContain('two');
  });

  it('a broken file that it includes is watched as well: mending it is enough', async () => {
    const folder = path.join(path.dirname(file), 'parts');
    mkdirSync(folder);
    writeFileSync(path.join(folder, 'broken.json5'), '{list: [');
    writeFileSync(file, "{agents: {$include: ['./parts/broken.json5', './later/missing.json5']}}");
    await follow();
    expect(notes.at(-1)).toMatch(/broken\.json5.*missing\.json5/);
    writeFileSync(path.join(folder, 'broken.json5'), "{list: [{id: 'mended'}]}");
    await until(() => !notes.at(-1)?.includes('broken.json5'), 'the mended file to be read');
    mkdirSync(path.join(path.dirname(file), 'later'));
    writeFileSync(path.join(path.dirname(file), 'later', 'missing.json5'), "{list: [{id: 'added'}]}");
    await until(() => target.applied.length > 0, 'the whole');
    expect(target.applied).toEqual([JSON.stringify({ agents: { list: [{ id: 'mended' }, { id: 'added' }] } })]);
  });

  it('the same mistake a second time is explained a second time', async () => {
    const explained = () => notes.filter((line) => line.includes('was skipped')).length;
    writeFileSync(file, document('good'));
    await follow();
    writeFileSync(file, '{bindings: []}');
    await until(() => explained() === 1, 'the first explanation');
    const unchanged = followed.counts.unchanged;
    writeFileSync(file, document('good'));
    await until(() => followed.counts.unchanged > unchanged, 'the file to be as before');
    writeFileSync(file, '{bindings: []}');
    await until(() => explained() === 2, 'the second explanation');
  });

  it('what only this machine can tell of a document is asked before the mesh is', async () => {
    writeFileSync(file, document('linked'));
    await follow({ check: (parsed) => (JSON.stringify(parsed).includes('linked') ? ['agents: two share a folder'] : []) });
    expect(target.applied).toEqual([]);
    expect(notes.at(-1)).toContain('two share a folder');
    writeFileSync(file, document('apart'));
    await until(() => target.text === document('apart'), 'the corrected file');
  });

  it('never removes what was changed in the mesh without a word: the first save is refused, the next one replaces', async () => {
    writeFileSync(path.join(path.dirname(file), 'one.json5'), "{list: [{id: 'one'}]}");
    writeFileSync(file, "{agents: {$include: './one.json5'}}");
    await follow();
    target.text = document('mesh');
    target.revision += 1;
    await followed.writeBack();
    const edited = "{agents: {$include: './one.json5'}, defaultOwner: 'ada'}";
    writeFileSync(file, edited);
    await until(() => followed.counts.outdated >= 1, 'the save to be refused');
    await followed.idle();
    expect(target.text).toBe(document('mesh'));
    expect(notes.at(-1)).toContain('save it again');
    writeFileSync(file, edited);
    utimesSync(file, new Date(), new Date(Date.now() + 5_000));
    await until(() => target.text.includes('ada'), 'the second save');
    expect(followed.counts.outdated).toBe(1);
  });

  it('a change during a reload makes exactly one more', async () => {
    let open = (): void => undefined;
    await follow();
    target.gate = new Promise((resolve) => {
      open = resolve;
    });
    writeFileSync(file, document('a'));
    await until(() => target.waiting === 1, 'a reload under way');
    for (const name of ['b', 'c', 'd']) writeFileSync(file, document(name));
    await until(() => followed.isPending, 'the change to be noticed meanwhile');
    expect(target.applied).toEqual([]);
    open();
    await until(() => target.text === document('d'), 'the last');
    await followed.idle();
    expect(target.applied).toEqual([document('a'), document('d')]);
  });

  it('a mesh that is away is asked again', async () => {
    await follow();
    target.failures = 1;
    writeFileSync(file, document('a'));
    await until(() => notes.some((line) => line.includes('nobody home')), 'the failure');
    await until(() => target.text === document('a'), 'the document');
    expect(target.applied).toEqual([document('a')]);
  });

  it('what the mesh changes is written back, recognised as our own write, and never brought to the mesh again', async () => {
    writeFileSync(file, document('file'));
    await follow();
    target.text = document('mesh');
    target.revision += 1;
    await followed.writeBack();
    expect(readFileSync(file, 'utf8')).toBe(document('mesh'));
    await until(() => followed.counts.unchanged > 0, 'our own write to be seen');
    expect(target.applied).toEqual([document('file')]);
    writeFileSync(file, document('again'));
    await until(() => target.text === document('again'), 'a later change');
  });
});
