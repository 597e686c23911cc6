import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { plexus } from './plexus.js';

const OURS = path.join(import.meta.dirname, '../../routing-core/test/vectors');

describe('plexus vectors', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-vectors-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs every file of the shipped folder and ends with the counts', async () => {
    const { code, out } = await plexus(['vectors', OURS]);
    expect(out.trimEnd().split('\n').at(-1)).toMatch(/^[1-9]\d{2,} passed, 0 failed$/);
    expect(code).toBe(0);
  });

  it('shows a vector that does not hold with input, expected and got, and exits with 1', async () => {
    const mixed = path.join(folder, 'mixed');
    cpSync(OURS, mixed, { recursive: true });
    writeFileSync(
      path.join(mixed, 'mirror-text.json'),
      JSON.stringify([
        { name: 'right', input: { text: 'hi' }, expected: 'hi' },
        { name: 'wrong', input: { text: 'hi' }, expected: 'ho', alternative: 'hu' },
      ]),
    );
    writeFileSync(path.join(mixed, 'dedupe.json'), 'not JSON');
    writeFileSync(path.join(mixed, 'weather.json'), 'not JSON either');
    const text = await plexus(['vectors', mixed]);
    expect(text.code).toBe(1);
    expect(text.out).toContain('FAIL mirror-text.json: wrong\n  input     {"text":"hi"}\n  expected  "ho"\n  or        "hu"\n  got       "hi"\n');
    expect(text.out).toContain('FAIL dedupe.json: (file)');
    expect(text.out).toContain('skipped weather.json');
    expect(text.out.trimEnd()).toMatch(/ passed, 2 failed$/);
    const json = (await plexus(['vectors', mixed, '--json'])).json<{ failed: number; skipped: string[] }>();
    expect(json.failed).toBe(2);
    expect(json.skipped).toContain('weather.json');
  });

  it('does not take a folder without vectors, or none at all, for success', async () => {
    expect((await plexus(['vectors', path.join(folder, 'nowhere')])).code).toBe(2);
    const empty = mkdtempSync(path.join(folder, 'empty-'));
    const result = await plexus(['vectors', empty]);
    expect([result.code, result.out.trimEnd()]).toEqual([2, '0 passed, 0 failed']);
    expect(result.err).toContain('resolve-route.json');
    expect((await plexus(['vectors', empty, '--json'])).json<{ passed: number }>().passed).toBe(0);
  });
});

describe('plexus route explain --config', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'plexus-route-'));
  const config = path.join(folder, 'plexus.json5');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(() =>
    writeFileSync(
      config,
      `{ // people write comments
        agents: { list: [{ id: 'main', default: true }, { id: 'ops' }] },
        bindings: [
          { agentId: 'ops', match: { channel: 'discord', peer: { kind: 'channel', id: 'C1' }, guildId: 'G1' } },
          { agentId: 'ghost', match: { channel: 'discord', guildId: 'G2' } },
          { agentId: 'ops', match: { channel: 'discord', peer: { kind: 'room', id: 'x' } } },
        ],
      }`,
    ),
  );
  const explain = (...args: string[]) => plexus(['route', 'explain', ...args, '--config', config]);

  it('names agent, session and the tier that decided, and why the others did not', async () => {
    const { code, out } = await explain('discord', '--peer', 'channel:C1', '--guild', 'G1');
    expect(code).toBe(0);
    expect(out).toContain('→ agent ops, session agent:ops:discord:channel:c1, decided by binding.peer');
    const other = await explain('discord', '--peer', 'channel:C1', '--guild', 'G9');
    expect(other.out).toContain('decided by default');
    expect(other.out).toContain('bindings[0] asks for the guild G1');
  });

  it('tells about bindings that do less than they say', async () => {
    const { problems, tiers } = (await explain('discord', '--json')).json<{ problems: { index: number; code: string }[]; tiers: { tier: string }[] }>();
    expect(problems.map(({ index, code }) => [index, code])).toEqual([
      [1, 'UNKNOWN_AGENT'],
      [2, 'UNUSABLE_PEER'],
    ]);
    expect(tiers.map(({ tier }) => tier)).toHaveLength(9);
  });

  it('answers a wrong call or an unreadable file with what to do', async () => {
    const peer = await explain('discord', '--peer', 'C1');
    expect([peer.code, peer.err]).toEqual([2, expect.stringContaining('dm:<id>')]);
    expect((await plexus(['route', 'explain', 'discord', '--config', path.join(folder, 'none.json')])).code).toBe(4);
    writeFileSync(path.join(folder, 'list.json'), '[]');
    expect((await plexus(['route', 'explain', 'discord', '--config', path.join(folder, 'list.json')])).code).toBe(4);
    expect((await plexus(['--state', path.join(folder, 'state'), 'route', 'explain', 'discord'])).code).toBe(3);
  });
});
