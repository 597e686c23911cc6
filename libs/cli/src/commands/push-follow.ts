import { importSubscriptionPages, pushContracts as push, type SubscriptionLine, subscriptionLine, subscriptionPages } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { allPages } from '../all-pages.js';
import { csvRows } from '../csv-rows.js';
import { EXIT } from '../exit-code.js';
import { fileLines } from '../file-lines.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type As, as, given, instantOf, jsonOf, scopeOf } from '../push-arguments.js';

type Severity = 'low' | 'medium' | 'high' | 'critical';
type Level = 'all' | 'digest' | 'critical_only' | 'muted';

interface Terms {
  readonly minSeverity?: Severity;
  readonly type?: string[];
  readonly level?: Level;
  readonly until?: string;
  readonly when?: string;
  readonly interest?: string;
  readonly from?: string;
  readonly to?: string;
}

const COLUMNS = [
  ...['user', 'scopeKind', 'scopeRef', 'name', 'minSeverity', 'typePatterns', 'level', 'mutedUntil'],
  ...['predicate', 'interestText', 'validFrom', 'validTo', 'remove'],
] as const;

const terms = (command: Command): Command =>
  command
    .addOption(new Option('--min-severity <severity>', 'nothing below it').choices(['low', 'medium', 'high', 'critical']))
    .option('--type <pattern...>', 'only these event types; * = any characters')
    .addOption(new Option('--level <level>', 'all, a digest, critical only, or muted').choices(['all', 'digest', 'critical_only', 'muted']))
    .option('--until <when>', 'with --level muted: until then, an instant or 2h')
    .option('--when <json>', 'a predicate over the data of events, such as {"path":"amount","op":"gt","value":100}; @file reads it from a file')
    .option('--interest <text>', 'only what is near this text in meaning')
    .option('--from <when>', 'nothing before it')
    .option('--to <when>', 'nothing from then on');

/** `plexus push subscribe|subscriptions|change|unsubscribe|mute|import`. */
export function pushFollowCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  const call = <C extends Parameters<typeof callAsOperator>[1]>(rpc: C, who: As, data: Parameters<typeof callAsOperator<C>>[3]) =>
    callAsOperator(mesh(), rpc, who, data);

  terms(as(command.command('subscribe <scope>').description('follow all, or case:…, entity:…, region:…, topic:…, type:…; again: say it anew')))
    .option('--name <name>', 'tells several subscriptions of one scope apart')
    .action(async (scope: string, options: As & Terms & { name?: string }) => {
      const answer = await call(push.subscribe, options, { ...scopeOf(scope), ...given({ name: options.name }), ...termsOf(options) });
      output().result(answer, `${answer.subscription.id} ${answer.created ? 'follows' : 'now says what was said about'} ${scope}`);
    });

  as(command.command('subscriptions').description('what is followed, oldest first')).action(async (options: As) => {
    const subscriptions = await allPages(
      (place) => call(push.listSubscriptions, options, place),
      (page) => page.subscriptions,
    );
    const rows = subscriptions.map((one) => [one.id, scopeText(one), one.level, one.minSeverity, String(one.version ?? 1), conditionsOf(one)]);
    output().result(
      { subscriptions },
      rows.length === 0 ? 'Nothing is followed.' : table([['ID', 'SCOPE', 'LEVEL', 'FROM', 'VERSION', 'CONDITIONS'], ...rows]),
    );
  });

  terms(as(command.command('change <id>').description('change what a subscription says; what is not named stays'))).action(
    async (id: string, options: As & Terms) => {
      const answer = await call(push.updateSubscription, options, { id, ...termsOf(options) });
      output().result(answer, answer.changed ? `${id} is at version ${answer.subscription.version}.` : `${id} says that already.`);
    },
  );

  as(command.command('unsubscribe <id>').description('follow it no more')).action(async (id: string, options: As) => {
    const answer = await call(push.unsubscribe, options, { id });
    output().result(answer, answer.removed ? `${id} is gone.` : `There is no ${id}.`);
    if (!answer.removed) process.exitCode = EXIT.findings;
  });

  as(command.command('mute <scope|id>').description('a subscription, or a scope that may not be followed yet; for ever, or for a while'))
    .option('--for <time>', '30m, 2h, 7d')
    .option('--until <instant>', 'instead of --for')
    .action(async (what: string, options: As & { for?: string; until?: string }) => {
      const end = options.for ?? options.until;
      const muted = { level: 'muted' as const, ...(end === undefined ? {} : { mutedUntil: instantOf(end) }) };
      const answer = what.startsWith('sub_')
        ? await call(push.updateSubscription, options, { id: what, ...muted })
        : await call(push.subscribe, options, { ...scopeOf(what), ...muted });
      const { id, mutedUntil } = answer.subscription;
      output().result(answer, `${id} is muted ${mutedUntil === undefined ? 'until you say otherwise' : `until ${mutedUntil}`}.`);
    });

  command
    .command('import <file>')
    .description(`subscriptions of many users: lines of JSON, or CSV with the columns ${COLUMNS.join(', ')} (patterns separated by spaces)`)
    .option('--tenant <tenant>', 'the tenant', 'default')
    .option('--check', 'only say what would happen')
    .action(async (file: string, { tenant, check = false }: { tenant: string; check?: boolean }) => {
      const rows = file.toLowerCase().endsWith('.csv') ? csvLines(file) : jsonLines(file);
      const summary = await importSubscriptionPages(subscriptionPages(rows), check, (data) => call(push.importSubscriptions, { tenant, user: 'me' }, data));
      const { created, updated, unchanged, removed, refused, refusedRows, pages } = summary;
      output().result(summary, [
        `${created} created, ${updated} updated, ${removed} removed, ${unchanged} as they were, ${refused} refused${check ? ' (only checked)' : ''}`,
        ...(pages.refused > 0
          ? [`${pages.refused} pages were not taken because of them; correct the file and import it again: what is there already stays.`]
          : []),
        ...refusedRows.map(({ line, code, message }) => `line ${line}: ${code} ${message}`),
      ]);
      if (refused > 0) process.exitCode = EXIT.findings;
    });
}

function termsOf({ minSeverity, type, level, until, when, interest, from, to }: Terms) {
  return given({
    minSeverity,
    typePatterns: type,
    level,
    mutedUntil: until && instantOf(until),
    predicate: when === undefined ? undefined : jsonOf(when),
    interestText: interest,
    validFrom: from && instantOf(from),
    validTo: to && instantOf(to),
  });
}

function scopeText({ scopeKind, scopeRef, name }: push.Subscription): string {
  const scope = scopeKind === 'all' ? 'all' : `${scopeKind}:${scopeRef}`;
  return name === undefined ? scope : `${scope} (${name})`;
}

function conditionsOf({ typePatterns, predicate, interestText, mutedUntil, validFrom, validTo }: push.Subscription): string {
  const parts = [
    typePatterns.length === 0 ? '' : `types ${typePatterns.join(' ')}`,
    predicate === undefined ? '' : `when ${JSON.stringify(predicate)}`,
    interestText === undefined ? '' : `near ${JSON.stringify(interestText)}`,
    mutedUntil === undefined ? '' : `muted until ${mutedUntil}`,
    validFrom === undefined ? '' : `from ${validFrom}`,
    validTo === undefined ? '' : `to ${validTo}`,
  ];
  return parts.filter((part) => part !== '').join('; ');
}

async function* jsonLines(file: string): AsyncGenerator<SubscriptionLine> {
  let line = 0;
  for await (const text of fileLines(file, { empty: true })) {
    line += 1;
    if (text.trim() !== '') yield subscriptionLine(text, line);
  }
}

async function* csvLines(file: string): AsyncGenerator<SubscriptionLine> {
  for await (const { line, cells } of csvRows(fileLines(file, { empty: true }), COLUMNS)) {
    const { typePatterns, predicate, remove, ...texts } = cells;
    const patterns = typePatterns === undefined ? {} : { typePatterns: typePatterns.split(/\s+/).filter((one) => one !== '') };
    const condition = predicate === undefined ? { value: undefined } : subscriptionLine(predicate, line);
    const removal = remove === undefined ? {} : { remove: remove === 'true' };
    yield { line, value: { ...texts, ...patterns, ...removal, ...(predicate === undefined ? {} : { predicate: condition.value ?? predicate }) } };
  }
}
