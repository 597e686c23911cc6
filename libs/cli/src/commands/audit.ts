import type { Bus, OrderedMessage } from '@plexus/bus';
import { auditContracts, type DataOf, isTenantId, plexusError } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import { type Output, table } from '../output.js';

type Entry = DataOf<typeof auditContracts.auditRecorded> & { readonly tenant: string };

interface Options {
  readonly tenant: string;
  readonly action?: string;
  readonly user?: string;
  readonly limit: number;
}

const STREAM = 'PLEXUS_EVT_AUDIT';
const LIST_TIMEOUT_MS = 30_000;

const targetOf = ({ target }: Entry): string =>
  Object.entries(target)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : String(value)}`)
    .join(' ');
const row = (entry: Entry): string[] => [
  entry.at,
  entry.tenant,
  entry.actor.user ?? `(${entry.actor.credentialId})`,
  entry.actor.role,
  entry.action,
  entry.outcome === 'done' ? 'done' : `refused ${entry.code ?? ''}`.trim(),
  targetOf(entry),
];

/** An entry of the stream, if it is one and wanted. */
function readEntry(message: OrderedMessage, { action, user }: Options): Entry | undefined {
  let body: { data?: unknown };
  try {
    body = JSON.parse(Buffer.from(message.raw).toString('utf8')) as { data?: unknown };
  } catch {
    // Nothing that a service of ours wrote.
    return undefined;
  }
  const parsed = auditContracts.auditRecorded.data.safeParse(body.data);
  if (!parsed.success) return undefined;
  const entry = { ...parsed.data, tenant: message.subject.split('.')[2] ?? '' };
  const wanted = (action === undefined || entry.action.startsWith(action)) && (user === undefined || entry.actor.user === user);
  return wanted ? entry : undefined;
}

function filterOf({ tenant }: Options): string {
  if (tenant !== '*' && tenant !== '_' && !isTenantId(tenant))
    throw new CommandFailure(`${JSON.stringify(tenant)} is not a tenant id.`, EXIT.usage, undefined, 'USAGE');
  return `plexus.evt.${tenant}.audit.recorded.v1.>`;
}

/** `plexus audit ls|tail`: who did what of the things that administrators answer for. */
export function auditCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const audit = program.command('audit').description('who changed configuration, policies, access, credentials, VMs; who erased, exported, dropped');
  const narrowed = (command: Command): Command =>
    command
      .option('--tenant <tenant>', 'only this tenant', '*')
      .option('--action <action>', 'only actions that begin so, for example `config` or `vm.terminate`')
      .option('--user <user>', 'only what this person did');

  narrowed(audit.command('ls'))
    .description('newest last')
    .option('--limit <n>', 'at most the newest so many', Number, 100)
    .action(async (options: Options) => {
      const entries = await withBus(mesh(), async (bus) => {
        const found: Entry[] = [];
        let complete: () => void = () => undefined;
        let late: NodeJS.Timeout | undefined;
        const completed = new Promise<void>((resolve, reject) => {
          complete = resolve;
          late = setTimeout(() => reject(plexusError('UNAVAILABLE', { message: 'The audit stream could not be read in time.' })), LIST_TIMEOUT_MS);
        });
        const reading = bus.readOrdered(STREAM, { filter: filterOf(options), from: 'all' }, (message) => {
          const entry = readEntry(message, options);
          if (entry !== undefined) found.push(entry);
          if (found.length > options.limit) found.shift();
          if (message.pending === 0) complete();
        });
        try {
          void reading.ready.then((stored) => stored === 0 && complete());
          await completed;
          return found;
        } finally {
          clearTimeout(late);
          await reading.stop();
        }
      });
      const head = ['AT', 'TENANT', 'WHO', 'ROLE', 'ACTION', 'OUTCOME', 'WHAT'];
      output().result(entries, entries.length === 0 ? 'Nothing was written down.' : table([head, ...entries.map(row)]));
    });

  narrowed(audit.command('tail'))
    .description('as it happens; Ctrl-C ends it')
    .option('--count <n>', 'stop after so many', Number)
    .action(async (options: Options & { readonly count?: number }) => {
      await withBus(mesh(), async (bus) => {
        let seen = 0;
        let stop: () => void = () => undefined;
        const stopped = new Promise<void>((resolve) => {
          stop = resolve;
        });
        process.once('SIGINT', stop).once('SIGTERM', stop);
        const reading = bus.readOrdered(STREAM, { filter: filterOf(options), from: 'new' }, (message) => {
          const entry = readEntry(message, options);
          if (entry === undefined) return;
          output().item(entry, row(entry).join('  '));
          seen += 1;
          if (options.count !== undefined && seen >= options.count) stop();
        });
        await stopped;
        await reading.stop();
      });
    });
}

/** Writes down what a command did by itself, without asking a service. Done as the operator of the servers, who needs no name there. */
export async function noteAct(bus: Bus, tenant: string, action: string, target: Entry['target']): Promise<void> {
  const actor = { role: 'operator', credentialId: 'nats-operator' };
  const data = { at: new Date().toISOString(), action, actor, target, outcome: 'done' as const, service: 'cli' };
  await bus.publish(auditContracts.auditRecorded, { tenant, key: [action.replace('.', '-')], data });
}

/**
 * Writes down an act that is over already. Nothing is undone when it cannot be written: the person at the keyboard is told, on stderr. `tenant` is `_` for
 * what concerns the whole deployment.
 */
export async function noteDone(bus: Bus, output: Output, tenant: string, action: string, target: Entry['target']): Promise<void> {
  try {
    await noteAct(bus, tenant, action, target);
  } catch (error) {
    output.note(`Done, but not written down in the audit log: ${(error as Error).message}`);
  }
}

/** The same for acts that need no mesh: written down where one can be reached. */
export async function noteDoneOffline(mesh: MeshOptions, output: Output, tenant: string, action: string, target: Entry['target']): Promise<void> {
  try {
    await withBus(mesh, (bus) => noteAct(bus, tenant, action, target));
  } catch (error) {
    output.note(`Not written down in an audit log: ${(error as Error).message}`);
  }
}
