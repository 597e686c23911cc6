import { pushManageContracts as manage } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { allPages } from '../all-pages.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type As, as, given, instantOf, scopeOf, secondsOf } from '../push-arguments.js';

interface Spoken extends As {
  readonly everybody?: boolean;
}

const spoken = (command: Command): Command => as(command).option('--everybody', 'for everybody of the tenant');
const whose = ({ everybody }: Spoken): 'me' | 'tenant' => (everybody === true ? 'tenant' : 'me');

type Call = <C extends Parameters<typeof callAsOperator>[1]>(
  rpc: C,
  who: As,
  data: Parameters<typeof callAsOperator<C>>[3],
) => ReturnType<typeof callAsOperator<C>>;

/** `plexus push prefer|preferences|quiet|silence …`. */
export function pushWishesCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  const call: Call = (rpc, who, data) => callAsOperator(mesh(), rpc, who, data);
  preferring(command, output, call);
  quiet(command, output, call);
  silencing(command.command('silence').description('keep events from interrupting for a while'), output, call);
}

function preferring(command: Command, output: () => Output, call: Call): void {
  spoken(command.command('prefer [on|off]').description('say whether something is wanted, at all or on one channel'))
    .option('--type <pattern...>', 'only these event types; * = any characters')
    .option('--scope <scope>', 'only there: case:…, entity:…, region:…, topic:…')
    .option('--channel <channel>', 'only on this channel, such as email', '*')
    .option('--forget <id>', 'take one back instead')
    .action(async (value: string | undefined, options: Spoken & { type?: string[]; scope?: string; channel: string; forget?: string }) => {
      if (value !== 'on' && value !== 'off' && options.forget === undefined) throw new CommandFailure('Say on or off.', EXIT.usage);
      const match = given({ types: options.type, ...(options.scope === undefined ? {} : scopeOf(options.scope)) });
      const change = options.forget === undefined ? { put: [{ match, channel: options.channel, value: value as 'on' | 'off' }] } : { remove: [options.forget] };
      const answer = await call(manage.setPreferences, options, { for: whose(options), ...change });
      output().result(answer, answer.changed ? `Version ${answer.preferences.version}.` : 'That is what was said already.');
    });

  as(command.command('preferences').description('what was said, and what holds for everybody')).action(async (options: As) => {
    const answer = await call(manage.getPreferences, options, {});
    const rows = (['own', 'tenant'] as const).flatMap((of) =>
      answer[of].preferences.map(({ id, match, channel, value }) => [of === 'own' ? options.user : 'everybody', id, value, channel, JSON.stringify(match)]),
    );
    const quietOf = (of: 'own' | 'tenant') => hoursText(answer[of].quietHours);
    output().result(answer, [
      ...(rows.length === 0 ? ['Nothing was said.'] : table([['WHOSE', 'ID', 'VALUE', 'CHANNEL', 'ABOUT'], ...rows])),
      `quiet hours: ${quietOf('own')}; of everybody: ${quietOf('tenant')}`,
    ]);
  });
}

function quiet(command: Command, output: () => Output, call: Call): void {
  spoken(command.command('quiet [start] [end]').description('hours in which nothing interrupts, such as 22:00 07:00; --off takes them away'))
    .option('--tz <zone>', 'IANA time zone; default: that of this machine')
    .option('--days <days>', 'days on which they begin, 0 = Sunday: 1,2,3,4,5')
    .addOption(new Option('--bypass <priority>', 'this priority and higher come through').choices(['P0', 'P1', 'P2', 'P3']))
    .option('--off', 'no quiet hours')
    .action(
      async (
        start: string | undefined,
        end: string | undefined,
        options: Spoken & { tz?: string; days?: string; bypass?: 'P0' | 'P1' | 'P2' | 'P3'; off?: boolean },
      ) => {
        if (options.off !== true && (start === undefined || end === undefined)) throw new CommandFailure('Name a start and an end, or --off.', EXIT.usage);
        const tz = options.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
        const hours = { tz, start: start ?? '', end: end ?? '', ...given({ days: options.days?.split(',').map(Number), bypassPriority: options.bypass }) };
        const answer = await call(manage.setQuietHours, options, { for: whose(options), quietHours: options.off === true ? null : hours });
        output().result(answer, `quiet hours: ${hoursText(answer.preferences.quietHours)}`);
      },
    );
}

function hoursText(hours: manage.Preferences['quietHours']): string {
  return hours === undefined ? 'none' : `${hours.start}–${hours.end} ${hours.tz}, days ${hours.days.join(',')}, ${hours.bypassPriority} comes through`;
}

function silencing(silence: Command, output: () => Output, call: Call): void {
  spoken(silence.command('add <matcher...>').description('such as case=case-7 type~com.acme.* severity!=high; all of them must hold'))
    .requiredOption('--reason <text>', 'why; it is kept with your name')
    .option('--for <time>', '30m, 2h, 7d')
    .option('--from <instant>', 'default: now')
    .option('--to <instant>', 'instead of --for')
    .option('--critical', 'critical events as well')
    .action(async (matchers: string[], options: Spoken & { reason: string; for?: string; from?: string; to?: string; critical?: boolean }) => {
      const { reason, critical = false } = options;
      const time = given({
        from: options.from && instantOf(options.from),
        to: options.to && instantOf(options.to),
        seconds: options.for === undefined ? undefined : secondsOf(options.for),
      });
      const answer = await call(manage.createSilence, options, {
        for: whose(options),
        matchers: matchers.map(matcherOf),
        reason,
        includeCritical: critical,
        ...time,
      });
      output().result(answer, `${answer.silence.id} until ${answer.silence.to}`);
    });

  spoken(silence.command('ls').description('those that are not over'))
    .option('--all', 'also those that are')
    .action(async (options: Spoken & { all?: boolean }) => {
      const which = { for: whose(options), expired: options.all ?? false, limit: 200 };
      const silences = await allPages(
        (place) => call(manage.listSilences, options, { ...which, ...place }),
        (page) => page.silences,
      );
      const rows = silences.map((one) => [
        one.id,
        one.state,
        one.from,
        one.to,
        one.matchers.map(({ label, op, value }) => `${label}${op}${value}`).join(' '),
        one.createdBy,
        one.reason,
      ]);
      output().result({ silences }, rows.length === 0 ? 'Nothing is silenced.' : table([['ID', 'STATE', 'FROM', 'TO', 'WHAT', 'BY', 'WHY'], ...rows]));
    });

  as(silence.command('change <id> [matcher...]').description('change one that is not over yet; matchers replace all that it has'))
    .option('--for <time>', 'how long from now on: 30m, 2h, 7d')
    .option('--to <instant>', 'instead of --for')
    .option('--reason <text>', 'why')
    .option('--critical', 'critical events as well')
    .option('--no-critical', 'critical events come through')
    .option('--base-version <n>', 'refuse it when it has changed since', (text) => Number(text))
    .action(async (id: string, matchers: string[], options: As & { for?: string; to?: string; reason?: string; critical?: boolean; baseVersion?: number }) => {
      const answer = await call(manage.updateSilence, options, {
        id,
        ...(matchers.length === 0 ? {} : { matchers: matchers.map(matcherOf) }),
        ...given({
          to: options.to && instantOf(options.to),
          seconds: options.for === undefined ? undefined : secondsOf(options.for),
          includeCritical: options.critical,
          reason: options.reason,
          baseVersion: options.baseVersion,
        }),
      });
      output().result(answer, answer.changed ? `${id} until ${answer.silence.to}` : `${id} said that already.`);
    });

  as(silence.command('expire <id>').description('end it now; it stays in the list')).action(async (id: string, options: As) => {
    const answer = await call(manage.expireSilence, options, { id });
    output().result(answer, answer.changed ? `${id} is over.` : `${id} was over already.`);
  });

  as(silence.command('rm <id>').description('remove it as if it had never been made')).action(async (id: string, options: As) => {
    const answer = await call(manage.removeSilence, options, { id });
    output().result(answer, answer.removed ? `${id} is gone.` : `There is no ${id}.`);
    if (!answer.removed) process.exitCode = EXIT.findings;
  });
}

function matcherOf(text: string): { label: string; op: '=' | '!=' | '~'; value: string } {
  const [, label, op, value] = /^([a-z]+)(!=|=|~)(.*)$/s.exec(text) ?? [];
  if (label === undefined || op === undefined || value === undefined) {
    throw new CommandFailure(
      `${JSON.stringify(text)} is no matcher; write label=value, label!=value or label~pattern.`,
      EXIT.usage,
      undefined,
      'INVALID_MATCHER',
    );
  }
  return { label, op: op as '=' | '!=' | '~', value };
}
