import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestMesh } from '@plexus/testing';
import { type CommandResult, plexus } from './plexus.js';

/** `plexus push`: what people say about being reached, as they say it in a shell. */
export function describePush(mesh: () => TestMesh): void {
  const run = (...args: string[]): Promise<CommandResult> => plexus(['--state', mesh().stateDir, '--json', 'push', ...args]);
  const file = (name: string, text: string): string => {
    const target = path.join(mesh().stateDir, name);
    writeFileSync(target, text);
    return target;
  };

  describe('plexus push', () => {
    it('follows, changes, mutes and unfollows', async () => {
      const as = ['--user', 'cli-follow'];
      const { subscription } = (await run('subscribe', 'case:cli', '--when', '{"path":"n","op":"gt","value":1}', '--level', 'digest', ...as)).json<{
        subscription: { id: string };
      }>();
      expect((await run('change', subscription.id, '--min-severity', 'high', ...as)).json()).toMatchObject({
        changed: true,
        subscription: { level: 'digest', minSeverity: 'high' },
      });
      expect((await run('mute', subscription.id, '--for', '2h', ...as)).json()).toMatchObject({
        subscription: { level: 'muted', mutedUntil: expect.any(String) },
      });
      expect((await run('mute', 'topic:noise', ...as)).json()).toMatchObject({ subscription: { scopeKind: 'topic', level: 'muted' } });
      expect((await run('subscriptions', ...as)).json<{ subscriptions: unknown[] }>().subscriptions).toHaveLength(2);
      expect((await run('unsubscribe', subscription.id, ...as)).code).toBe(0);
      expect((await run('unsubscribe', subscription.id, ...as)).code).toBe(4);
      expect((await run('subscribe', 'colour:red', ...as)).code).toBe(2);
    });

    it('imports files of JSON lines and CSV, checks them first, and names lines that are wrong', async () => {
      const lines = file('subscriptions.ndjson', '{"user":"cli-a","scopeKind":"all"}\n\n{"user":"cli-b","scopeKind":"case","scopeRef":"c"}\n');
      expect((await run('import', lines, '--check')).json()).toMatchObject({ applied: false, created: 2 });
      expect((await run('import', lines)).json()).toMatchObject({ applied: true, created: 2 });
      const csv = file(
        'subscriptions.csv',
        'user,scopeKind,scopeRef,typePatterns,predicate\ncli-b,case,c,a.* b.*,"{""path"":""n"",""op"":""eq"",""value"":1}"\n',
      );
      expect((await run('import', csv)).json()).toMatchObject({ applied: true, updated: 1 });
      expect((await run('subscriptions', '--user', 'cli-b')).json()).toMatchObject({
        subscriptions: [{ typePatterns: ['a.*', 'b.*'], predicate: { path: 'n' } }],
      });
      const wrong = await run('import', file('wrong.ndjson', '{"user":"cli-a","scopeKind":"all"}\n{"user":"cli-a","scopeKind":"none"}\n'));
      expect([wrong.code, wrong.json()]).toMatchObject([4, { applied: false, refusedRows: [{ line: 2 }] }]);
    });

    it('says preferences, quiet hours, silences, grants and contacts', async () => {
      const as = ['--user', 'cli-says'];
      expect((await run('prefer', 'off', '--type', 'a.*', '--channel', 'email', ...as)).json()).toMatchObject({ changed: true });
      expect((await run('quiet', '22:00', '07:00', '--tz', 'Asia/Shanghai', '--days', '1,2,3', ...as)).code).toBe(0);
      expect((await run('preferences', ...as)).json()).toMatchObject({ own: { version: 2, quietHours: { tz: 'Asia/Shanghai', days: [1, 2, 3] } } });
      expect((await run('quiet', '--off', ...as)).json<{ preferences: object }>().preferences).not.toHaveProperty('quietHours');

      const { silence } = (await run('silence', 'add', 'case=c', 'type~a.*', '--for', '1h', '--reason', 'work', ...as)).json<{ silence: { id: string } }>();
      expect((await run('silence', 'ls', ...as)).json()).toMatchObject({ silences: [{ id: silence.id, createdBy: 'cli-says', reason: 'work' }] });
      expect((await run('silence', 'expire', silence.id, ...as)).json()).toMatchObject({ changed: true });
      expect((await run('silence', 'rm', silence.id, ...as)).code).toBe(0);

      expect((await run('grant', 'add', 'cli-says', 'case:g', '--until', '7d')).json()).toMatchObject({ restricted: true });
      expect((await run('grant', 'revoke', 'cli-says', 'case:g')).json()).toMatchObject({ grant: { granted: false } });
      expect((await run('grant', 'restrict', 'case:g', '--open')).json()).toEqual({ restricted: false, changed: true });
      expect((await run('grant', 'ls', 'case:g')).json()).toMatchObject({ grants: [{ user: 'cli-says', granted: false }] });

      const browser = file('browser.json', JSON.stringify({ endpoint: 'https://push.example.org/1', keys: { p256dh: 'A'.repeat(87), auth: 'A'.repeat(22) } }));
      const { contact } = (await run('contact', 'add', 'webpush', '--subscription', `@${browser}`, ...as)).json<{ contact: { id: string } }>();
      expect((await run('contact', 'ls', ...as)).json()).toMatchObject({ contacts: [{ id: contact.id, verified: true }] });
      expect((await run('contact', 'add', 'email', 'me@example.org', ...as)).json()).toMatchObject({ error: { code: 'CHANNEL_NOT_CONFIGURED' } });
      expect((await run('contact', 'rm', contact.id, ...as)).code).toBe(0);
    });
  });
}
