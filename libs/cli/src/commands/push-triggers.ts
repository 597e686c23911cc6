import { pushTriggersContracts as triggers } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type As, as, given, instantOf, jsonOf, secondsOf } from '../push-arguments.js';

type Mesh = () => MeshOptions;
const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const;
type Severity = (typeof SEVERITIES)[number];
const severity = (text: string) => new Option('--severity <severity>', text).choices([...SEVERITIES]);

/** `plexus push schedule|dispatch|research|notify …`. */
export function pushTriggerCommands(command: Command, output: () => Output, mesh: Mesh): void {
  schedules(command.command('schedule').description('what runs by itself at fixed times'), output, mesh);
  rules(command.command('dispatch').description('research first, then a notification: rules, and runs'), output, mesh);
  tools(command, output, mesh);
}

interface ScheduleOptions extends As {
  readonly cron?: string;
  readonly every?: string;
  readonly at?: string;
  readonly tz?: string;
  readonly agent?: string;
  readonly message?: string;
  readonly notify?: string;
  readonly event?: string;
  readonly data?: string;
  readonly severity?: Severity;
  readonly case?: string;
  readonly catchUp?: 'skip' | 'latest' | 'all';
  readonly id?: string;
}

function schedules(schedule: Command, output: () => Output, mesh: Mesh): void {
  as(schedule.command('add <name>').description('one of --message (to an agent), --notify or --event, at --cron, --every or --at'))
    .option('--cron <pattern>', 'five or six fields: "0 9 * * 1-5"')
    .option('--every <time>', 'a fixed interval: 30m, 2h, 7d')
    .option('--at <instant>', 'once: 2026-11-22T08:00:00Z, or how long from now: 2h')
    .option('--tz <zone>', 'IANA time zone of the pattern; default: UTC')
    .option('--message <text>', 'what an agent is told')
    .option('--agent <id>', 'which agent; default: the default one')
    .option('--notify <summary>', 'notify the owner')
    .option('--event <summary>', 'state an event, to which subscriptions apply')
    .option('--data <json>', 'data of the event; @file reads it from a file')
    .addOption(severity('of the notification or event'))
    .option('--case <id>', 'the case that it is about')
    .addOption(new Option('--catch-up <mode>', 'what becomes of missed times').choices(['skip', 'latest', 'all']))
    .option('--id <id>', 'a name of your own; the same again replaces it')
    .action(async (name: string, options: ScheduleOptions) => {
      const timing = given({
        cron: options.cron,
        everyMs: options.every === undefined ? undefined : secondsOf(options.every) * 1_000,
        at: options.at === undefined ? undefined : instantOf(options.at),
        timeZone: options.tz,
      });
      const catchUp = options.catchUp === undefined ? {} : { catchUp: { mode: options.catchUp } };
      const data = { name, ...timing, ...catchUp, ...given({ id: options.id }), action: actionOf(options) };
      const answer = await callAsOperator(mesh(), triggers.createSchedule, options, data);
      const { id, nextAt } = answer.schedule;
      output().result(answer, `${id} ${answer.created ? 'made' : 'changed'}; due next ${nextAt ?? 'never'}.`);
    });

  as(schedule.command('ls').description('by id'))
    .option('--all', 'of everybody')
    .action(async (options: As & { all?: boolean }) => {
      const answer = await callAsOperator(mesh(), triggers.listSchedules, options, { all: options.all === true, limit: 200 });
      const rows = answer.schedules.map(({ id, owner, name, cron, everyMs, at, timeZone, action, enabled, nextAt }) => [
        ...[id, owner, name, at ?? (cron === undefined ? `every ${(everyMs ?? 0) / 1_000} s` : `${cron} ${timeZone}`), action.kind],
        enabled ? (nextAt ?? 'never') : 'off',
      ]);
      output().result(answer, rows.length === 0 ? 'Nothing runs by itself.' : table([['ID', 'OWNER', 'NAME', 'WHEN', 'DOES', 'NEXT'], ...rows]));
    });

  for (const [name, enabled] of [
    ['on', true],
    ['off', false],
  ] as const) {
    as(schedule.command(`${name} <id>`).description(enabled ? 'let it run again' : 'keep it, and let it rest')).action(async (id: string, options: As) => {
      const answer = await callAsOperator(mesh(), triggers.updateSchedule, options, { id, enabled });
      output().result(answer, `${id} is ${name}; due next ${answer.schedule.nextAt ?? 'never'}.`);
    });
  }

  as(schedule.command('run <id>').description('fire it now, beside its due times')).action(async (id: string, options: As) => {
    const answer = await callAsOperator(mesh(), triggers.runSchedule, options, { id });
    output().result(answer, `${id} ${answer.state}${answer.runId === undefined ? '' : ` as ${answer.runId}`}.`);
  });

  as(schedule.command('runs <id>').description('what it did, newest first')).action(async (id: string, options: As) => {
    const answer = await callAsOperator(mesh(), triggers.scheduleRuns, options, { id });
    const rows = answer.runs.map(({ dueAt, firedAt, trigger, state, reason, runId }) => [dueAt, firedAt, trigger, state, reason ?? runId ?? '']);
    output().result(answer, rows.length === 0 ? 'It did not run yet.' : table([['DUE', 'LOOKED AT', 'TRIGGER', 'STATE', ''], ...rows]));
  });

  as(schedule.command('rm <id>').description('remove it, with its history')).action(async (id: string, options: As) => {
    const answer = await callAsOperator(mesh(), triggers.removeSchedule, options, { id });
    output().result(answer, answer.removed ? `${id} is removed.` : `There is no schedule ${id}.`);
  });
}

function actionOf(options: ScheduleOptions): Parameters<typeof callAsOperator<typeof triggers.createSchedule>>[3]['action'] {
  const { message, notify, event } = options;
  if ([message, notify, event].filter((one) => one !== undefined).length !== 1) {
    throw new CommandFailure('Say what it does: exactly one of --message, --notify and --event.', EXIT.usage, undefined, 'INVALID_ACTION');
  }
  const about = given({ severity: options.severity, caseId: options.case });
  if (message !== undefined) return { kind: 'agent', message, ...given({ agentId: options.agent }) };
  if (notify !== undefined) return { kind: 'notify', summary: notify, ...about };
  return { kind: 'event', summary: event ?? '', ...about, ...given({ data: options.data === undefined ? undefined : jsonOf(options.data) }) };
}

function rules(dispatch: Command, output: () => Output, mesh: Mesh): void {
  as(dispatch.command('add <name>').description('on a matching event an agent researches, then people are told'))
    .requiredOption('--prompt <text>', 'what the agent is asked; {{summary}}, {{type}}, {{caseId}} and {{event}} stand for the event')
    .option('--type <pattern...>', 'event types with *; default: every type')
    .option('--agent <id>', 'which agent; default: the default one')
    .option('--to <who...>', 'owner, followers, or users; default: owner')
    .option('--max-per-hour <n>', 'most runs an hour', (text) => Number(text))
    .option('--timeout <time>', 'longest run: 90s, 10m')
    .addOption(severity('of the notification; default: that of the event'))
    .option('--id <id>', 'a name of your own; the same again replaces it')
    .action(async (name: string, options: RuleOptions) => {
      const [only, ...more] = options.to ?? ['owner'];
      const to = more.length === 0 && (only === 'owner' || only === 'followers') ? only : (options.to ?? []);
      const answer = await callAsOperator(mesh(), triggers.saveDispatchRule, options, {
        name,
        match: { types: options.type ?? [] },
        research: {
          message: options.prompt,
          ...given({ agentId: options.agent, timeoutMs: options.timeout === undefined ? undefined : secondsOf(options.timeout) * 1_000 }),
        },
        notify: { to, ...given({ severity: options.severity }) },
        ...given({ id: options.id, maxPerHour: options.maxPerHour }),
      });
      output().result(answer, `${answer.rule.id} ${answer.created ? 'made' : 'changed'}.`);
    });

  as(dispatch.command('ls').description('rules by id')).action(async (options: As) => {
    const answer = await callAsOperator(mesh(), triggers.listDispatchRules, options, {});
    const rows = answer.rules.map(({ id, owner, name, match, notify, refused, enabled }) => [
      ...[id, owner, name, match.types.join(' ') || '*', Array.isArray(notify.to) ? notify.to.join(' ') : notify.to, String(refused), enabled ? 'on' : 'off'],
    ]);
    output().result(answer, rows.length === 0 ? 'There are no rules.' : table([['ID', 'OWNER', 'NAME', 'TYPES', 'TELLS', 'REFUSED', ''], ...rows]));
  });

  as(dispatch.command('rm <id>').description('remove a rule')).action(async (id: string, options: As) => {
    const answer = await callAsOperator(mesh(), triggers.removeDispatchRule, options, { id });
    output().result(answer, answer.removed ? `${id} is removed.` : `There is no rule ${id}.`);
  });

  as(dispatch.command('runs').description('research runs, newest first'))
    .option('--all', 'of everybody')
    .action(async (options: As & { all?: boolean }) => {
      const answer = await callAsOperator(mesh(), triggers.dispatchRuns, options, { all: options.all === true });
      const rows = answer.runs.map(({ id, kind, owner, state, createdAt, error }) => [id, kind, owner, state, createdAt, error?.code ?? '']);
      output().result(answer, rows.length === 0 ? 'Nothing was researched.' : table([['ID', 'BY', 'OWNER', 'STATE', 'BEGUN', ''], ...rows]));
    });

  as(dispatch.command('status <runId>').description('how far a run is, and what was found')).action(async (runId: string, options: As) => {
    const answer = await callAsOperator(mesh(), triggers.dispatchStatus, options, { runId });
    const { state, result, error } = answer.run;
    output().result(answer, result ?? (error === undefined ? state : `${state}: ${error.message} (${error.code})`));
  });
}

interface RuleOptions extends As {
  readonly prompt: string;
  readonly type?: string[];
  readonly agent?: string;
  readonly to?: string[];
  readonly maxPerHour?: number;
  readonly timeout?: string;
  readonly severity?: Severity;
  readonly id?: string;
}

function tools(command: Command, output: () => Output, mesh: Mesh): void {
  as(command.command('notify <summary>').description('notify somebody; preferences, quiet hours and policies apply'))
    .option('--to <user>', 'whom; default: whose word it is')
    .option('--text <text>', 'the whole message')
    .addOption(severity('how urgent it is'))
    .option('--case <id>', 'the case that it is about')
    .action(async (summary: string, options: As & { to?: string; text?: string; severity?: Severity; case?: string }) => {
      const data = { summary, ...given({ user: options.to, text: options.text, severity: options.severity, caseId: options.case }) };
      const answer = await callAsOperator(mesh(), triggers.notifyUser, options, data);
      output().result(answer, `${answer.eventId} is decided for ${answer.user}; plexus push explain tells what became of it.`);
    });

  as(command.command('research <query>').description('let an agent look into something'))
    .option('--agent <id>', 'which agent; default: the default one')
    .option('--notify', 'notify of the result')
    .action(async (query: string, options: As & { agent?: string; notify?: boolean }) => {
      const data = { query, ...given({ agentId: options.agent }) };
      const answer = await callAsOperator(mesh(), options.notify === true ? triggers.dispatchAndNotify : triggers.dispatchResearch, options, data);
      output().result(answer, `Begun as ${answer.runId}; plexus push dispatch status ${answer.runId}`);
    });
}
