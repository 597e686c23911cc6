import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TestMesh, waitFor } from '@plexus/testing';
import { type CommandResult, plexus } from './plexus.js';

interface Item {
  readonly id: string;
  readonly offset: number;
  readonly title: string;
  readonly state: string;
}

/** `plexus push inbox|ack|mark|attempts`: what arrived, and what was done about it. */
export function describePushInbox(mesh: () => TestMesh): void {
  const shell = (...args: string[]): Promise<CommandResult> => plexus(['--state', mesh().stateDir, 'push', ...args]);
  const run = (...args: string[]): Promise<CommandResult> => plexus(['--state', mesh().stateDir, '--json', 'push', ...args]);
  const items = async (...args: string[]) => (await run('inbox', ...args)).json<{ items: Item[] }>().items;
  /** Notifies somebody and waits until it is in the inbox. */
  async function notified(user: string, summary: string, ...rest: string[]): Promise<Item> {
    expect((await run('notify', summary, '--user', user, ...rest)).code).toBe(0);
    const found = async () => (await items('--user', user)).find(({ title }) => title === summary);
    return waitFor(found, { what: `"${summary}" in the inbox` });
  }

  describe('plexus push inbox', () => {
    it('shows what came, as a table and as JSON, filtered, and only its owner’s', async () => {
      const as = ['--user', 'cli-inbox'];
      await notified('cli-inbox', 'first');
      const second = await notified('cli-inbox', 'second', '--severity', 'high');
      expect((await items(...as)).map(({ offset, title, state }) => [offset, title, state])).toEqual([
        [2, 'second', 'new'],
        [1, 'first', 'new'],
      ]);
      expect((await items(...as, '--limit', '1')).map(({ title }) => title)).toEqual(['second']);
      expect((await items(...as, '--priority', 'high')).map(({ id }) => id)).toEqual([second.id]);
      expect(await items(...as, '--kind', 'digest')).toEqual([]);
      const { code, out } = await shell('inbox', ...as);
      expect([code, out]).toEqual([0, expect.stringMatching(/OFFSET +STATE +PRIORITY[\s\S]*second[\s\S]*first[\s\S]*2 unread, newest offset 2/)]);
      expect((await shell('inbox', '--user', 'cli-nobody')).out).toMatch(/^0 unread, newest offset 0/);
      expect((await run('inbox', ...as, '--limit', '0')).json()).toMatchObject({ error: { code: 'INVALID_REQUEST' } });
      expect((await run('inbox', ...as, '--priority', 'loud')).code).toBe(2);
    });

    it('marks forward, acknowledges, and says what changed', async () => {
      const as = ['--user', 'cli-marks'];
      const sent: Item[] = [];
      for (const title of ['one', 'two', 'three', 'four']) sent.push(await notified('cli-marks', title));
      const [one, two] = sent.map(({ id }) => id) as [string, string];
      expect((await run('mark', 'read', one, two, ...as)).json()).toEqual({ changed: 2, unread: 2 });
      expect((await run('mark', 'seen', one, ...as)).json()).toEqual({ changed: 0, unread: 2 });
      expect((await shell('mark', 'seen', '--up-to', '3', ...as)).out).toBe('1 changed, 2 unread\n');
      expect((await run('ack', two, ...as)).json()).toEqual({ acknowledged: 1, unread: 2 });
      expect((await shell('ack', '--up-to', '3', ...as)).out).toBe('2 acknowledged, 1 unread\n');
      expect((await items(...as, '--unread')).map(({ title }) => title)).toEqual(['four']);
      expect((await items(...as)).map(({ state }) => state)).toEqual(['new', 'read', 'read', 'read']);
      // Nobody else's, and nothing that is none.
      expect((await run('ack', one, '--user', 'cli-inbox')).json()).toMatchObject({ acknowledged: 0 });
      expect((await run('ack', ...as)).code).toBe(2);
      expect((await run('mark', 'gone', one, ...as)).code).toBe(2);
      expect((await run('mark', 'done', ...as)).code).toBe(2);
    });

    it('follows what comes until enough was seen', async () => {
      const as = ['--user', 'cli-follows'];
      await notified('cli-follows', 'before');
      let isOver = false;
      const following = run('inbox', ...as, '--follow', '--count', '2').finally(() => {
        isOver = true;
      });
      // Whatever had come when it began to look does not count as new.
      for (let sent = 1; !isOver; sent += 1) await notified('cli-follows', `later ${sent}`);
      const shown = (await following).out.trim().split('\n');
      const titles = shown.map((line) => (JSON.parse(line) as Item).title);
      expect(titles).toEqual(['before', ...Array.from({ length: titles.length - 1 }, (_, index) => `later ${index + 1}`)]);
      expect(titles.length).toBeGreaterThan(2);
    });

    it('tells what was tried over channels outside the inbox', async () => {
      const as = ['--user', 'cli-channels'];
      const silent = await notified('cli-channels', 'nowhere else');
      expect(await shell('attempts', silent.id, ...as)).toMatchObject({ code: 4, out: 'Nothing was tried.\n' });
      const file = path.join(mesh().stateDir, 'channels.yaml');
      writeFileSync(file, 'name: channels\nchannels: [{ priorities: [P1], plan: [{ channel: session }, { channel: webhook }] }]\n');
      const { policy } = (await run('policy', 'put', file)).json<{ policy: { version: number } }>();
      expect((await run('policy', 'activate', String(policy.version))).code).toBe(0);
      try {
        const loud = await notified('cli-channels', 'in the conversation', '--severity', 'high');
        const attempts = async () =>
          (await run('attempts', loud.id, ...as)).json<{ attempts: { channel: string; status: string; error?: string }[] }>().attempts;
        await waitFor(async () => (await attempts()).filter(({ status }) => status === 'sent' || status === 'skipped').length === 2, { what: 'both channels' });
        expect((await attempts()).map(({ channel, status, error }) => [channel, status, error]).sort()).toEqual([
          ['session', 'sent', undefined],
          ['webhook', 'skipped', 'no_contact'],
        ]);
        expect((await shell('attempts', loud.id, ...as)).out).toMatch(/AT +CHANNEL +LEVEL[\s\S]*session +0 +1 +sent/);
        expect((await run('attempts', loud.id, '--user', 'cli-inbox')).json()).toEqual({ attempts: [] });
      } finally {
        expect((await run('policy', 'rollback', '0')).code).toBe(0);
      }
    });
  });
}
