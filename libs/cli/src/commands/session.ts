import { closeSync, openSync, writeSync } from 'node:fs';
import { routingContracts as routing } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator, type OperatorCall } from '../operator-call.js';
import { type Output, table } from '../output.js';

interface As {
  readonly tenant: string;
  readonly user: string;
}

type Ask = Parameters<typeof callAsOperator>[1];

const as = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default').option('--user <user>', 'whose session it is', 'me');

const row = (session: routing.SessionSummary): string[] => [
  session.sessionKey,
  session.updatedAt,
  String(session.messageCount),
  session.activeRunId === undefined ? '' : 'running',
  session.displayName ?? session.label ?? session.origin?.label ?? '',
];

/** `plexus session ls|show|reset|export|share|unshare|delete|migrate`: conversations and their transcripts. */
export function sessionCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const session = program.command('session').description('conversations: list, show, export, share, reset, delete, migrate stored keys');
  const call = <C extends Ask>(rpc: C, who: As, data: Parameters<typeof callAsOperator<C>>[3]) => callAsOperator(mesh(), rpc, who satisfies OperatorCall, data);

  as(session.command('ls').description('most recently used first'))
    .option('--limit <n>', 'at most so many', Number, 50)
    .option('--search <text>', 'only those whose key or label contains this')
    .option('--agent <id>', 'only those of this agent')
    .option('--shared', 'those that others share with the user')
    .action(async (options: As & { limit: number; search?: string; agent?: string; shared?: boolean }) => {
      const { limit, search, agent: agentId, shared = false } = options;
      const optional = { ...(search === undefined ? {} : { search }), ...(agentId === undefined ? {} : { agentId }) };
      const found = await call(routing.listSessions, options, { limit, shared, ...optional });
      const rows = found.sessions.map((one) => (shared ? [one.owner, ...row(one)] : row(one)));
      const head = [...(shared ? ['OWNER'] : []), 'SESSION', 'UPDATED', 'MESSAGES', 'STATE', 'NAME'];
      output().result(
        found,
        rows.length === 0 ? 'There are no sessions.' : [...table([head, ...rows]), ...(found.hasMore ? [`… ${found.totalCount} in all`] : [])],
      );
    });

  as(session.command('show <key>').description('what is known of a session, and its newest messages'))
    .option('--owner <user>', 'owner of a session that is shared with the user')
    .option('--messages <n>', 'how many messages', Number, 10)
    .action(async (key: string, options: As & { owner?: string; messages: number }) => {
      const where = { sessionKey: key, ...(options.owner === undefined ? {} : { owner: options.owner }) };
      const { sessionKey, session: found } = await call(routing.describeSession, options, where);
      const { messages } = await call(routing.getHistory, options, { ...where, limit: Math.max(1, options.messages) });
      if (found === undefined) {
        output().result({ sessionKey }, `There is no session ${sessionKey} of ${options.owner ?? options.user} yet.`);
        process.exitCode = EXIT.findings;
        return;
      }
      const { lastMessage: _last, ...facts } = found;
      const lines = Object.entries(facts).map(([name, value]) => `${name.padEnd(13)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
      output().result({ session: found, messages }, [...lines, '', ...messages.map(({ at, role, sender, text }) => `${at} ${sender?.name ?? role}: ${text}`)]);
    });

  as(session.command('reset <key>').description('begin anew: a new incarnation with an empty transcript')).action(async (key: string, options: As) => {
    const answer = await call(routing.resetSession, options, { sessionKey: key });
    output().result(answer, `${answer.session.sessionKey} begins anew as ${answer.session.sessionId}.`);
  });

  as(session.command('export <key>').description('the whole transcript, page by page'))
    .addOption(new Option('--format <format>', 'how it is written').choices(['jsonl', 'markdown']).default('jsonl'))
    .option('--owner <user>', 'owner of a session that is shared with the user')
    .option('--out <file>', 'write into this new file; default: stdout')
    .action(async (key: string, options: As & { format: 'jsonl' | 'markdown'; owner?: string; out?: string }) => {
      const where = { sessionKey: key, format: options.format, ...(options.owner === undefined ? {} : { owner: options.owner }) };
      // Transcripts are private: nobody else may read the file, and none is overwritten.
      const file = options.out === undefined ? undefined : openSync(options.out, 'wx', 0o600);
      let bytes = 0;
      try {
        for (let after: number | undefined = 0; after !== undefined; ) {
          const page: { text: string; next?: number | undefined } = await call(routing.exportSession, options, { ...where, after });
          bytes += Buffer.byteLength(page.text);
          if (file === undefined) output().raw(page.text);
          else writeSync(file, page.text);
          after = page.next;
        }
      } finally {
        if (file !== undefined) closeSync(file);
      }
      if (options.out !== undefined) output().result({ file: options.out, bytes }, `${bytes} bytes are in ${options.out}.`);
    });

  as(session.command('share <key> <grantee>').description('let another user read the session, or write into it'))
    .option('--write', 'write as well')
    .action(async (key: string, grantee: string, options: As & { write?: boolean }) => {
      const answer = await call(routing.shareSession, options, { sessionKey: key, grantee, access: options.write === true ? 'write' : 'read' });
      output().result(answer, `${grantee} may ${answer.grant.access} ${answer.sessionKey}.`);
    });

  as(session.command('unshare <key> <grantee>').description('take a grant back')).action(async (key: string, grantee: string, options: As) => {
    const answer = await call(routing.unshareSession, options, { sessionKey: key, grantee });
    output().result(answer, answer.removed ? `${grantee} sees ${answer.sessionKey} no more.` : `${grantee} had no grant on ${answer.sessionKey}.`);
  });

  as(session.command('delete <key>').description('remove a session with its transcripts, for good')).action(async (key: string, options: As) => {
    const answer = await call(routing.deleteSession, options, { sessionKey: key });
    output().result(answer, answer.deleted ? `${answer.sessionKey} is deleted.` : `There was no session ${answer.sessionKey}.`);
  });

  as(session.command('migrate').description('bring stored session keys into canonical form; shows what would change unless --apply'))
    .option('--apply', 'do it')
    .action(async (options: As & { apply?: boolean }) => {
      const total = { scanned: 0, changed: [] as object[], collisions: [] as object[] };
      const lines: string[] = [];
      for (let after: number | undefined = 0; after !== undefined; ) {
        const page: Awaited<ReturnType<typeof migrationPage>> = await migrationPage(after, options);
        total.scanned += page.scanned;
        total.changed.push(...page.changed);
        total.collisions.push(...page.collisions);
        lines.push(...page.changed.map(({ owner, from, to }) => `${owner}: ${from} → ${to}`));
        lines.push(...page.collisions.map(({ owner, from, to }) => `${owner}: ${from} stays: there is another session ${to}`));
        after = page.next;
      }
      const done = options.apply === true ? 'changed' : 'would change';
      output().result(total, [...lines, `${total.scanned} keys, ${total.changed.length} ${done}, ${total.collisions.length} collisions.`]);
      if (total.collisions.length > 0) process.exitCode = EXIT.findings;
    });

  const migrationPage = (after: number, options: As & { apply?: boolean }) =>
    call(routing.migrateSessionKeys, options, { dryRun: options.apply !== true, after });
}
