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
  wishes(as(schedule.command('add <name>').description('one of --message (to an agent), --notify or --event, at --cron, --every or --at')))
    .option('--id <id>', 'a name of your own; the same again replaces it')
    .action(async (name: string, options: ScheduleOptions) => {
      const data = { name, ...timingOf(options), ...given({ id: options.id }), action: actionOf(options) };
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

  wishes(as(schedule.command('change <id>').description('change what is named; another timing counts from now')))
    .option('--name <name>', 'another name')
    .option('--base-version <n>', 'refuse it when it has changed since', (text) => Number(text))
    .action(async (id: string, options: ScheduleOptions & { name?: string; baseVersion?: number }) => {
      const { message, notify, event, agent, data: details, severity, case: about } = options;
      // The action is replaced as a whole: what belongs to one is refused without it.
      const acts = [message, notify, event, agent, details, severity, about].some((one) => one !== undefined);
      const data = {
        id,
        ...given({ name: options.name, baseVersion: options.baseVersion }),
        ...timingOf(options),
        ...(acts ? { action: actionOf(options) } : {}),
      };
      const answer = await callAsOperator(mesh(), triggers.updateSchedule, options, data);
      output().result(answer, `${id} has version ${answer.schedule.version ?? 1}; due next ${answer.schedule.nextAt ?? 'never'}.`);
    });

  for (const [name, enabled] of ON_AND_OFF) {
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

const ON_AND_OFF = [
  ['on', true],
  ['off', false],
] as const;

/** When a schedule is due, and what it does then. */
function wishes(command: Command): Command {
  return command
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
    .addOption(new Option('--catch-up <mode>', 'what becomes of missed times').choices(['skip', 'latest', 'all']));
}

function timingOf(options: ScheduleOptions) {
  const timing = given({
    cron: options.cron,
    everyMs: options.every === undefined ? undefined : secondsOf(options.every) * 1_000,
    at: options.at === undefined ? undefined : instantOf(options.at),
    timeZone: options.tz,
  });
  return { ...timing, ...(options.catchUp === undefined ? {} : { catchUp: { mode: options.catchUp } }) };
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
      const answer = await callAsOperator(mesh(), triggers.saveDispatchRule, options, {
        name,
        match: { types: options.type ?? [] },
        research: researchOf(options.prompt, options),
        notify: { to: recipientsOf(options.to ?? ['owner']), ...given({ severity: options.severity }) },
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

  as(dispatch.command('change <id>').description('change what is named; --agent and --timeout go with --prompt, --severity with --to'))
    .option('--name <name>', 'another name')
    .option('--prompt <text>', 'what the agent is asked')
    .option('--type <pattern...>', 'event types with *')
    .option('--agent <id>', 'which agent')
    .option('--to <who...>', 'owner, followers, or users')
    .option('--max-per-hour <n>', 'most runs an hour', (text) => Number(text))
    .option('--timeout <time>', 'longest run: 90s, 10m')
    .addOption(severity('of the notification'))
    .option('--base-version <n>', 'refuse it when it has changed since', (text) => Number(text))
    .action(async (id: string, options: Partial<RuleOptions> & As & { name?: string; baseVersion?: number }) => {
      const { prompt, type, to, name, maxPerHour, baseVersion } = options;
      if (prompt === undefined && (options.agent ?? options.timeout) !== undefined) throw together('--agent and --timeout', '--prompt');
      if (to === undefined && options.severity !== undefined) throw together('--severity', '--to');
      const answer = await callAsOperator(mesh(), triggers.updateDispatchRule, options, {
        id,
        ...given({ name, maxPerHour, baseVersion }),
        ...(type === undefined ? {} : { match: { types: type } }),
        ...(prompt === undefined ? {} : { research: researchOf(prompt, options) }),
        ...(to === undefined ? {} : { notify: { to: recipientsOf(to), ...given({ severity: options.severity }) } }),
      });
      output().result(answer, `${id} has version ${answer.rule.version ?? 1}.`);
    });

  for (const [name, enabled] of ON_AND_OFF) {
    as(dispatch.command(`${name} <id>`).description(enabled ? 'let it research again' : 'keep it, and let it rest')).action(async (id: string, options: As) => {
      const answer = await callAsOperator(mesh(), triggers.updateDispatchRule, options, { id, enabled });
      output().result(answer, `${id} is ${name}.`);
    });
  }

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

function researchOf(message: string, { agent, timeout }: Pick<RuleOptions, 'agent' | 'timeout'>) {
  return { message, ...given({ agentId: agent, timeoutMs: timeout === undefined ? undefined : secondsOf(timeout) * 1_000 }) };
}

function recipientsOf(to: string[]): 'owner' | 'followers' | string[] {
  const [only, ...more] = to;
  return more.length === 0 && (only === 'owner' || only === 'followers') ? only : to;
}

function together(what: string, withWhat: string): CommandFailure {
  return new CommandFailure(`${what} say nothing without ${withWhat}: what is asked, and who is told, is replaced as a whole.`, EXIT.usage);
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
