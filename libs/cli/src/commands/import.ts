import { validateTenantConfig } from '@plexus/agent-config';
import type { Command } from 'commander';
import { ConfigClient, type Difference, type Document, invalid, parseDocument } from '../config-client.js';
import type { MeshOptions } from '../mesh.js';
import { type MappedConfig, mapConfig } from '../openclaw/map-config.js';
import { mergeDocument } from '../openclaw/merge-document.js';
import { type OpenClawState, readState } from '../openclaw/read-state.js';
import type { NotTaken } from '../openclaw/reading.js';
import { type ImportedSession, importSessions } from '../openclaw/send-sessions.js';
import type { Output } from '../output.js';
import { noteDoneOffline } from './audit.js';
import { differenceLines } from './config-output.js';

interface ImportOptions {
  readonly dryRun?: boolean;
  readonly sessions: boolean;
  readonly tenant: string;
  readonly user: string;
}

/** `plexus import openclaw`: what a single OpenClaw gateway has, brought into the mesh. */
export function importCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const command = program.command('import').description('take over what another system has');

  command
    .command('openclaw <folder>')
    .description('agents, bindings, channels, models, tools, jobs and conversations of an OpenClaw gateway: its state folder, or the openclaw.json in it')
    .option('--dry-run', 'only show what would change, and what is not taken over')
    .option('--no-sessions', 'leave the conversations')
    .option('--user <user>', 'whose the conversations become', 'me')
    .option('--tenant <tenant>', 'the tenant of the conversations; the configuration is that of the gateway token', 'default')
    .action(async (folder: string, options: ImportOptions) => {
      const state = readState(folder);
      const mapped = mapConfig(state.config, state.jobs);
      const client = new ConfigClient(mesh());
      const after = await checked(client, mapped);
      const { differences } = await client.diff({}, JSON.stringify(after));
      const dryRun = options.dryRun === true;
      const agents = (after.agents as { list: { id: string }[] }).list.map(({ id }) => id);
      const wanted = options.sessions ? state.sessions : [];
      // Everything was read and checked by now; only from here on anything is written.
      if (!dryRun) await client.edit((document) => mergeDocument(document, mapped.document as Document), 'import from OpenClaw');
      const sessions = await importSessions(mesh(), wanted, { ...options, dryRun, agents: new Set(agents) });
      const appended = sessions.reduce((sum, { outcome }) => sum + (outcome?.appended ?? 0), 0);
      const target = { user: options.user, differences: differences.length, sessions: sessions.length, appended };
      if (!dryRun) await noteDoneOffline(mesh(), output(), options.tenant, 'import.openclaw', target);
      report(output(), { state, mapped, differences, sessions, dryRun });
    });
}

/** The document as it will be. Throws CONFIG_REJECTED when what is there and what comes do not go together. */
async function checked(client: ConfigClient, { document }: MappedConfig): Promise<Document> {
  const after = mergeDocument(parseDocument((await client.get()).text), document as Document);
  const { issues } = validateTenantConfig(after);
  if (issues.length > 0) throw invalid(issues);
  return after;
}

interface Imported {
  readonly state: OpenClawState;
  readonly mapped: MappedConfig;
  readonly differences: readonly Difference[];
  readonly sessions: readonly ImportedSession[];
  readonly dryRun: boolean;
}

function report(output: Output, { state, mapped, differences, sessions, dryRun }: Imported): void {
  const notTaken: NotTaken[] = [...mapped.notTaken, ...state.notTaken, ...sessions.flatMap((session) => session.notTaken)];
  const taken = sessions.filter(({ outcome }) => outcome !== undefined);
  const appended = taken.reduce((sum, { outcome }) => sum + (outcome?.appended ?? 0), 0);
  const created = taken.filter(({ outcome }) => outcome?.created).length;
  const data = {
    dryRun,
    differences,
    sessions: taken.map(({ from, outcome }) => ({ from, ...outcome })),
    notTaken,
    notes: mapped.notes,
    variables: mapped.variables,
    changed: differences.length > 0 || created > 0 || appended > 0,
  };
  const would = dryRun ? 'would ' : '';
  output.result(data, [
    ...section('Configuration', differences.length === 0 ? ['nothing to change'] : differences.flatMap(differenceLines)),
    ...section('Conversations', [
      ...taken.map(({ from, outcome }) => sessionLine(from, outcome as NonNullable<ImportedSession['outcome']>)),
      `${created} ${would}begin, ${appended} messages ${would}come in`,
    ]),
    ...section(
      'Set these variables where the services run',
      mapped.variables.map(({ name, from }) => `${name}  (${from})`),
    ),
    ...section(
      'To know',
      mapped.notes.map(({ path, note }) => `${path}: ${note}`),
    ),
    ...section('Not taken over', leftLines(notTaken)),
    dryRun ? 'Nothing was changed. Without --dry-run it is.' : 'Done. Repeating it changes nothing.',
  ]);
}

/** One line for neighbours that stay behind for the same reason: `cron_jobs.0: wakeMode, delivery: …`. */
function leftLines(notTaken: readonly NotTaken[]): string[] {
  const groups = new Map<string, { place: string; names: string[]; reason: string }>();
  for (const { path, reason, secret } of notTaken) {
    const why = `${reason}${secret ? ' (it holds a secret, which is not copied)' : ''}`;
    const [, place, name] = /^([\w.]+)\.(\w+)$/.exec(path) ?? [];
    const key = place === undefined ? `${path}\n${why}` : `${place}\n${why}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { place: place ?? path, names: name === undefined ? [] : [name], reason: why });
    else if (name !== undefined) group.names.push(name);
  }
  return [...groups.values()].map(({ place, names, reason }) =>
    names.length === 1 ? `${place}.${names[0]}: ${reason}` : `${[place, names.join(', ')].filter(Boolean).join(': ')}: ${reason}`,
  );
}

function sessionLine(from: string, { sessionKey, appended, known, before }: NonNullable<ImportedSession['outcome']>): string {
  const key = from === sessionKey ? sessionKey : `${from} → ${sessionKey}`;
  const there = [...(known > 0 ? [`${known} there already`] : []), ...(appended > 0 && before > known ? [`behind ${before} messages`] : [])];
  return `${key}: ${appended} messages${there.length > 0 ? ` (${there.join(', ')})` : ''}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines.map((line) => `  ${line}`), ''];
}
