import { readFileSync } from 'node:fs';
import { pushManageContracts as manage } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { allPages } from '../all-pages.js';
import { EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type As, as, given, grantScopeOf, instantOf, jsonOf } from '../push-arguments.js';

type Call = <C extends Parameters<typeof callAsOperator>[1]>(
  rpc: C,
  who: As,
  data: Parameters<typeof callAsOperator<C>>[3],
) => ReturnType<typeof callAsOperator<C>>;

/** `plexus push contact|grant …`. */
export function pushReachCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  const call: Call = (rpc, who, data) => callAsOperator(mesh(), rpc, who, data);
  contacts(command.command('contact').description('addresses outside the inbox'), output, call);
  grants(command.command('grant').description('who may see a case or topic'), output, call);
}

function contacts(contact: Command, output: () => Output, call: Call): void {
  as(contact.command('add <channel> [address]').description('email <address>, webhook <url>, or webpush --subscription @file'))
    .option('--subscription <json>', 'what the browser gave; @file reads it from a file')
    .option('--label <text>', 'what it is called')
    .action(async (channel: string, address: string | undefined, options: As & { subscription?: string; label?: string }) => {
      const subscription =
        options.subscription === undefined ? undefined : (jsonOf(options.subscription) as { endpoint: string; keys: { p256dh: string; auth: string } });
      const data = { channel: channel as 'email', ...given({ address, subscription, label: options.label }) };
      const answer = await call(manage.addContact, options, data);
      const { id, verified } = answer.contact;
      const next = answer.codeSent
        ? `a code is on its way: plexus push contact verify ${id} <code>`
        : 'its code is still out, or ask for one: plexus push contact code';
      output().result(answer, `${id} ${verified ? 'is in use' : `is not verified; ${next}`}`);
    });

  as(contact.command('code <id>').description('send a new code')).action(async (id: string, options: As) => {
    const answer = await call(manage.sendContactCode, options, { id });
    output().result(answer, answer.codeSent ? `A code is on its way; it holds until ${answer.expiresAt}.` : `${id} is verified already.`);
  });

  as(contact.command('verify <id> <code>').description('prove it by the code that was sent to it; - reads the code from the standard input')).action(
    async (id: string, code: string, options: As) => {
      const answer = await call(manage.verifyContact, options, { id, code: code === '-' ? readFileSync(0, 'utf8').trim() : code });
      output().result(answer, `${answer.contact.address} is in use.`);
    },
  );

  as(contact.command('ls').description('oldest first'))
    .addOption(new Option('--channel <channel>', 'only of this one').choices(['email', 'webhook', 'webpush']))
    .action(async (options: As & { channel?: 'email' | 'webhook' | 'webpush' }) => {
      const answer = await call(manage.listContacts, options, given({ channel: options.channel }));
      const rows = answer.contacts.map((one) => [
        one.id,
        one.channel,
        one.disabledReason ?? (one.verified ? 'in use' : 'not verified'),
        one.label ?? '',
        one.address,
      ]);
      output().result(answer, rows.length === 0 ? 'There are no contacts.' : table([['ID', 'CHANNEL', 'STATE', 'LABEL', 'ADDRESS'], ...rows]));
    });

  as(contact.command('rm <id>').description('nothing is sent there any more')).action(async (id: string, options: As) => {
    const answer = await call(manage.removeContact, options, { id });
    output().result(answer, answer.removed ? `${id} is gone.` : `There is no ${id}.`);
    if (!answer.removed) process.exitCode = EXIT.findings;
  });
}

function grants(grant: Command, output: () => Output, call: Call): void {
  const tenant = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default');
  const admin = (options: { tenant: string }): As => ({ tenant: options.tenant, user: 'me' });

  tenant(grant.command('add <user> <scope>').description('lets a user see case:… or topic:…; the first grant restricts the scope'))
    .option('--until <when>', 'an instant or 7d')
    .action(async (user: string, scope: string, options: { tenant: string; until?: string }) => {
      const answer = await call(manage.grantAccess, admin(options), {
        user,
        ...grantScopeOf(scope),
        ...given({ until: options.until && instantOf(options.until) }),
      });
      output().result(answer, `${user} may see ${scope}${answer.restricted ? ', which only holders of grants may see' : ''}.`);
    });

  tenant(grant.command('revoke <user> <scope>').description('takes it back')).action(async (user: string, scope: string, options: { tenant: string }) => {
    const answer = await call(manage.revokeAccess, admin(options), { user, ...grantScopeOf(scope) });
    output().result(answer, `${user} may no longer see ${scope}.`);
  });

  tenant(grant.command('restrict <scope>').description('only holders of grants may see it'))
    .option('--open', 'everybody of the tenant may see it')
    .action(async (scope: string, options: { tenant: string; open?: boolean }) => {
      const answer = await call(manage.restrictScope, admin(options), { ...grantScopeOf(scope), restricted: options.open !== true });
      output().result(answer, `${scope} is ${answer.restricted ? 'restricted to holders of grants' : 'open to everybody of the tenant'}.`);
    });

  tenant(grant.command('ls [scope]').description('grants and revocations'))
    .option('--user <user>', 'only of this user')
    .action(async (scope: string | undefined, options: { tenant: string; user?: string }) => {
      const filter = { ...(scope === undefined ? {} : grantScopeOf(scope)), ...given({ user: options.user }) };
      const found = await allPages(
        (place) => call(manage.listAccess, admin(options), { ...filter, ...place }),
        (page) => page.grants,
      );
      const rows = found.map((one) => [
        `${one.scopeKind}:${one.scopeRef}`,
        one.user,
        one.granted ? (one.until ?? 'granted') : 'revoked',
        one.saidAt,
        one.saidBy,
      ]);
      output().result({ grants: found }, rows.length === 0 ? 'Nothing was granted.' : table([['SCOPE', 'USER', 'UNTIL', 'SAID', 'BY'], ...rows]));
    });
}
