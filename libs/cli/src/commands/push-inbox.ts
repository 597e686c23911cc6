import { setTimeout as pause } from 'node:timers/promises';
import { pushContracts as push, pushDeliveryContracts as pushDelivery } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import { callAsOperator, operatorToken } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { type As, as } from '../push-arguments.js';

interface Reading extends As {
  readonly limit: number;
  readonly unread?: boolean;
  readonly priority?: ('low' | 'medium' | 'high' | 'critical')[];
  readonly kind?: string[];
  readonly follow?: boolean;
  readonly count?: number;
}

const POLL_MS = 1_000;

/** `plexus push inbox|ack|mark|attempts`. */
export function pushInboxCommands(command: Command, output: () => Output, mesh: () => MeshOptions): void {
  as(command.command('inbox').description('the newest items, newest first'))
    .option('--unread', 'only what was not read')
    .addOption(new Option('--priority <severity...>', 'only these').choices(['low', 'medium', 'high', 'critical']))
    .option('--kind <kind...>', 'only these kinds, such as digest or escalation')
    .option('--limit <n>', 'at most so many, up to 200', Number, 20)
    .option('--follow', 'then what comes, until Ctrl-C')
    .option('--count <n>', 'with --follow: stop after so many new ones', Number)
    .action(async (options: Reading) => {
      const filters = filtersOf(options);
      const page = await callAsOperator(mesh(), push.fetchInbox, options, { limit: options.limit, ...filters });
      if (options.follow !== true) {
        output().result(page, page.items.length === 0 ? summary(page) : [...table([HEAD, ...page.items.map(rowOf)]), summary(page)]);
        return;
      }
      for (const item of [...page.items].reverse()) output().item(item, rowOf(item).join('  '));
      await follow(mesh(), options, { epoch: page.epoch, head: page.head }, (item) => output().item(item, rowOf(item).join('  ')));
    });

  as(command.command('ack [delivery]').description('somebody takes care of it: it counts as read, and its escalation ends'))
    .option('--up-to <offset>', 'everything up to this offset', Number)
    .action(async (deliveryId: string | undefined, { upTo, ...options }: As & { upTo?: number }) => {
      if (deliveryId === undefined && upTo === undefined) throw new CommandFailure('Name a delivery, or --up-to.', EXIT.usage, undefined, 'USAGE');
      const answer = await callAsOperator(mesh(), push.ackInbox, options, {
        ...(deliveryId !== undefined && { deliveryId }),
        ...(upTo !== undefined && { upTo }),
      });
      output().result(answer, `${answer.acknowledged} acknowledged, ${answer.unread} unread`);
    });

  as(command.command('mark <state> [deliveries...]').description('seen, read or done; marks only move forward'))
    .option('--up-to <offset>', 'everything up to this offset', Number)
    .action(async (state: string, ids: string[], { upTo, ...options }: As & { upTo?: number }) => {
      if (state !== 'seen' && state !== 'read' && state !== 'done')
        throw new CommandFailure('The state is seen, read or done.', EXIT.usage, undefined, 'USAGE');
      if (ids.length === 0 && upTo === undefined) throw new CommandFailure('Name deliveries, or --up-to.', EXIT.usage, undefined, 'USAGE');
      const answer = await callAsOperator(mesh(), push.markInbox, options, { state, ids, ...(upTo !== undefined && { upTo }) });
      output().result(answer, `${answer.changed} changed, ${answer.unread} unread`);
    });

  as(command.command('attempts <delivery>').description('what was tried over channels outside the inbox')).action(async (deliveryId: string, options: As) => {
    const { attempts } = await callAsOperator(mesh(), pushDelivery.listAttempts, options, { deliveryId });
    const rows = attempts.map(({ at, channel, level, attempt, status, contact = '', error = '' }) => [
      at,
      channel,
      String(level),
      String(attempt),
      status,
      contact,
      error,
    ]);
    output().result(
      { attempts },
      rows.length === 0 ? 'Nothing was tried.' : table([['AT', 'CHANNEL', 'LEVEL', 'ATTEMPT', 'STATUS', 'CONTACT', 'ERROR'], ...rows]),
    );
    if (rows.length === 0) process.exitCode = EXIT.findings;
  });
}

const HEAD = ['OFFSET', 'STATE', 'PRIORITY', 'KIND', 'AT', 'ID', 'TITLE'];

function rowOf({ offset, state, priority, kind, createdAt, id, title, repeats, resolvedAt, acknowledgedAt }: push.InboxItem): string[] {
  const notes = [
    ...(repeats === undefined ? [] : [`×${repeats + 1}`]),
    ...(resolvedAt === undefined ? [] : ['resolved']),
    ...(acknowledgedAt === undefined ? [] : ['acknowledged']),
  ];
  return [String(offset), state, priority, kind, createdAt, id, notes.length === 0 ? title : `${title} (${notes.join(', ')})`];
}

function summary({ unread, head, minOffset = 0 }: { unread: number; head: number; minOffset?: number | undefined }): string {
  return `${unread} unread, newest offset ${head}${minOffset > 0 ? `, nothing kept up to ${minOffset}` : ''}`;
}

function filtersOf({ unread, priority, kind }: Reading) {
  return {
    ...(unread === true && { states: ['new' as const, 'seen' as const] }),
    ...(priority !== undefined && { priorities: priority }),
    ...(kind !== undefined && { kinds: kind }),
  };
}

/** Asks for what is new until Ctrl-C or enough was seen. An inbox that began anew is read from its beginning. */
async function follow(mesh: MeshOptions, options: Reading, from: { epoch: string; head: number }, show: (item: push.InboxItem) => void): Promise<void> {
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  let { epoch, head } = from;
  let left = options.count ?? Number.POSITIVE_INFINITY;
  await withBus(mesh, async (bus) => {
    while (!stop.signal.aborted && left > 0) {
      const page = await bus.call(
        push.fetchInbox,
        options.tenant,
        { after: head, limit: 200, ...filtersOf(options) },
        { token: await operatorToken(mesh, options) },
      );
      if (page.epoch !== epoch) {
        ({ epoch } = page);
        head = 0;
        continue;
      }
      for (const item of page.items.slice(0, left)) show(item);
      left -= page.items.length;
      const last = page.items.at(-1);
      // A page may be cut; only one without items has told everything up to the head.
      head = last === undefined ? Math.max(head, page.head) : last.offset;
      // Ctrl-C ends the wait.
      if (last === undefined) await pause(POLL_MS, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  });
}
