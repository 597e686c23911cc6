import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type TestMesh, waitFor } from '@plexus/testing';
import { plexus } from './plexus.js';

/** What people do with sessions by command, on a mesh that others use too. */
export function describeSessions(meshOf: () => TestMesh): void {
  describe('sessions, strangers, sends and people', () => {
    const run = (...args: string[]) => plexus(['--state', meshOf().stateDir, ...args]);
    const json = (...args: string[]) => run('--json', ...args);
    const say = async (message: string) => {
      const headers = { authorization: `Bearer ${meshOf().token}`, 'content-type': 'application/json' };
      const response = await fetch(`${meshOf().gateway.http}/v1/chat/send`, { method: 'POST', headers, body: JSON.stringify({ sessionKey: 'plan', message }) });
      expect(response.status).toBe(202);
    };

    it('lists, shows, shares, exports, resets and deletes a session', async () => {
      await say('ship on Friday');
      await waitFor(async () => (await json('session', 'ls')).out.includes('agent:main:plan'), { timeoutMs: 60_000, what: 'the session' });
      expect((await run('session', 'show', 'plan')).out).toContain('user: ship on Friday');
      expect((await json('session', 'share', 'plan', 'bob')).json()).toMatchObject({ grant: { grantee: 'bob', access: 'read' } });
      expect((await run('session', 'ls', '--shared', '--user', 'bob')).out).toContain('agent:main:plan');
      expect((await run('session', 'unshare', 'plan', 'bob')).out).toContain('sees agent:main:plan no more');
      const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'plexus-export-')), 'plan.jsonl');
      expect((await run('session', 'export', 'plan', '--out', file)).code).toBe(0);
      expect(JSON.parse(readFileSync(file, 'utf8').split('\n')[0] ?? '')).toMatchObject({ seq: 1, role: 'user', text: 'ship on Friday' });
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect((await run('session', 'export', 'plan', '--format', 'markdown')).out).toContain('### user');
      expect((await run('session', 'reset', 'plan')).out).toContain('agent:main:plan begins anew');
      expect((await json('session', 'migrate')).json()).toMatchObject({ changed: [], collisions: [] });
      expect((await run('session', 'delete', 'plan')).out).toContain('is deleted');
      expect((await run('session', 'show', 'plan')).code).toBe(4);
    }, 180_000);

    it('says in one sentence what is wrong', async () => {
      expect(await run('pairing', 'ls')).toMatchObject({ code: 0, out: 'Nobody waits.\n' });
      expect(await json('pairing', 'approve', 'ABCDEFGH').then(({ code, json: read }) => [code, read()])).toMatchObject([1, { error: { code: 'NOT_FOUND' } }]);
      expect(await json('send', 'telegram', 'telegram:42', 'hi').then(({ code, json: read }) => [code, read()])).toMatchObject([
        1,
        { error: { code: 'CHANNEL_NOT_CONFIGURED' } },
      ]);
      expect((await run('user', 'erase', 'ada')).code).toBe(2);
    }, 180_000);

    it('erases a person, with a receipt of every service that keeps something of people', async () => {
      const erased = await json('user', 'erase', 'nobody', '--yes', '--wait-ms', '30000');
      const report = erased.json<{ receipts: { service: string }[]; missing: string[] }>();
      expect([report.missing, report.receipts.map(({ service }) => service).sort()]).toEqual([[], ['memory', 'push', 'routing', 'scheduler']]);
      expect(erased.code).toBe(0);
    }, 180_000);
  });
}
