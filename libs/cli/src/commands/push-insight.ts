import { pushPolicyContracts as push } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';

interface As {
  readonly tenant: string;
  readonly user: string;
}

interface Naming extends As {
  readonly source?: string;
  readonly origin?: string;
  readonly near?: string;
}

type Explanation = Awaited<ReturnType<typeof callAsOperator<typeof push.explain>>>;

const as = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default').option('--user <user>', 'whose it is', 'me');
/** September 2001 in milliseconds: no count is that large. */
const EARLIEST_MOMENT = 1_000_000_000_000;
const MARKS = { pass: '✓', defer: '…', stop: '✗' } as const;

/** `plexus push explain|stats|feedback`. */
export function pushInsightCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  as(command.command('explain <event>').description('why an event was, was not, or is not yet delivered to a user; the id of the event'))
    .option('--source <uri>', 'its CloudEvents source, where ids are not unique')
    .option('--origin <token>', 'the source token of its subject')
    .option('--near <instant>', 'about when it was published: where an event without any decision is looked for')
    .action(async (id: string, { tenant, user, near, source, origin }: Naming) => {
      const event = { id, ...(source === undefined ? {} : { source }), ...(origin === undefined ? {} : { origin }) };
      const answer = await callAsOperator(mesh(), push.explain, { tenant, user }, { event, ...(near === undefined ? {} : { near }) });
      output().result(answer, explainLines(answer));
      if (answer.outcome === 'event_unknown') process.exitCode = EXIT.findings;
    });

  as(command.command('stats').description('decisions by reason, deliveries and opinions by subscription; the last seven days'))
    .option('--everybody', 'of the whole tenant')
    .option('--from <instant>', 'ISO 8601')
    .option('--to <instant>', 'ISO 8601')
    .action(async ({ tenant, user, everybody, from, to }: As & { everybody?: boolean; from?: string; to?: string }) => {
      const span = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      const answer = await callAsOperator(mesh(), push.pushStats, { tenant, user }, { everybody: everybody ?? false, ...span });
      const reasons = answer.decisions.map(({ reason, verdict, count, useful, notUseful }) => [reason, verdict, String(count), `${useful}/${notUseful}`]);
      const subscriptions = answer.subscriptions.map((one) => [
        one.subscriptionId,
        `${one.scopeKind ?? '(gone)'} ${one.scopeRef ?? ''}`,
        one.level ?? '–',
        `${one.delivered} (${one.interrupts} interrupting)`,
        `${one.useful}/${one.notUseful}`,
      ]);
      output().result(answer, [
        `${answer.from} to ${answer.to}`,
        ...table([['REASON', 'VERDICT', 'DECISIONS', 'USEFUL/NOT'], ...reasons]),
        '',
        ...table([['SUBSCRIPTION', 'SCOPE', 'LEVEL', 'DELIVERIES', 'USEFUL/NOT'], ...subscriptions]),
        ...answer.suggestions.map(({ sentence }) => `→ ${sentence}`),
      ]);
    });

  as(command.command('feedback <delivery>').description('say whether a delivery was useful'))
    .addOption(new Option('--useful', 'it was').conflicts('notUseful'))
    .addOption(new Option('--not-useful', 'it was not'))
    .option('--note <text>', 'why')
    .action(async (deliveryId: string, { tenant, user, useful, notUseful, note }: As & { useful?: boolean; notUseful?: boolean; note?: string }) => {
      if (useful === undefined && notUseful === undefined) command.error('error: say --useful or --not-useful');
      const opinion = { deliveryId, useful: useful === true, ...(note === undefined ? {} : { note }) };
      const answer = await callAsOperator(mesh(), push.feedback, { tenant, user }, opinion);
      output().result(answer, ['recorded', ...answer.suggestions.map(({ sentence }) => `→ ${sentence}`)]);
    });
}

/** An explanation for people: the answer first, then every decision with its trace. */
export function explainLines(answer: Explanation): string[] {
  const { outcome, sentence, event, decisions, repeats, toBeSent, subscriptions, search, others } = answer;
  const name = event === undefined ? [] : [`${event.type} ${event.id} from ${event.source} (${event.origin})`];
  return [
    `${outcome}: ${sentence}`,
    ...name,
    ...decisions.flatMap(decisionLines),
    ...(repeats > 0 ? [`${repeats} more repeats of the same event`] : []),
    ...(toBeSent === undefined ? [] : ['', `to be sent at once: stage ${toBeSent.stage}, rule ${toBeSent.rule}`, `  ${toBeSent.sentence}`]),
    ...(subscriptions.length === 0 ? [] : ['', 'subscriptions that were looked at:']),
    ...subscriptions.map(
      ({ covers, subscriptionId, scopeKind, scopeRef, why }) => `  ${covers ? '✓' : '✗'} ${subscriptionId} ${scopeKind} ${scopeRef}: ${why}`,
    ),
    ...(search === undefined ? [] : [`looked at ${search.examined} events of ${search.stream}${search.exhausted ? ', which is all it holds' : ''}`]),
    ...(others > 0 ? [`${others} further events have this id: name --source and --origin`] : []),
  ];
}

/** Moments are numbers in traces. */
function readable(value: string | number | boolean): string {
  return typeof value === 'number' && value >= EARLIEST_MOMENT ? new Date(value).toISOString() : String(value);
}

function decisionLines({ at, verdict, reason, policyVersion, until, deliveryId, trace, feedback }: Explanation['decisions'][number]): string[] {
  const wait = until === undefined ? '' : ` until ${until}`;
  const opinion = feedback === undefined ? '' : `, ${feedback.useful ? 'useful' : 'not useful'} says its owner`;
  return [
    '',
    `${at} ${verdict} (${reason})${wait}${deliveryId === undefined ? '' : ` ${deliveryId}`}, policy ${policyVersion}${opinion}`,
    ...trace.map((step) => {
      const input = Object.entries(step.input ?? {}).map(([key, value]) => `${key}=${readable(value)}`);
      return `  ${MARKS[step.verdict]} ${step.stage.padEnd(11)} ${step.rule}${step.version === undefined ? '' : ` v${step.version}`}${input.length === 0 ? '' : `  ${input.join(' ')}`}`;
    }),
  ];
}
