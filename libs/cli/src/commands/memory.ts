import { memoryContracts as memory } from '@plexus/contracts';
import { type Command, Option } from 'commander';
import { EXIT } from '../exit-code.js';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';
import { memoryArchiveCommands } from './memory-archive.js';

interface As {
  readonly tenant: string;
  readonly user: string;
}

interface Searching extends As {
  readonly limit: number;
  readonly mode: 'auto' | 'text' | 'vector';
  readonly history?: boolean;
  readonly typos?: boolean;
  readonly collapse?: boolean;
}

type Kind = 'fact' | 'preference' | 'episode' | 'summary' | 'note';

const KINDS: readonly Kind[] = ['fact', 'preference', 'episode', 'summary', 'note'];
const MAX_SHOWN = 100;

const as = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default').option('--user <user>', 'whose memory it is', 'me');
const inOneLine = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= MAX_SHOWN ? line : `${line.slice(0, MAX_SHOWN - 1)}…`;
};
const three = (value: number | null): string => (value === null ? '–' : value.toFixed(3));

/** `plexus memory add|search|explain|show|ls|update|rm|stats|export|import|purge`. */
export function memoryCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const command = program.command('memory').description('memories: add, search, explain a score, list, update, remove, count, export, import, purge');
  type Rpc = Parameters<typeof callAsOperator>[1];
  const call = <C extends Rpc>(rpc: C, who: As, data: Parameters<typeof callAsOperator<C>>[3]) => callAsOperator(mesh(), rpc, who, data);
  const ask = (query: string, { limit, mode, history, typos, collapse, ...who }: Searching, explain: boolean) =>
    call(memory.searchMemory, who, {
      query,
      k: limit,
      mode,
      includeHistory: history ?? false,
      typos: typos ?? false,
      collapse: collapse ?? false,
      explain,
      ...(explain ? { minScore: 0 } : {}),
    });
  const searching = (one: Command): Command =>
    as(one)
      .option('--limit <n>', 'at most so many, up to 50', Number, 10)
      .addOption(new Option('--mode <mode>', 'which signals may count').choices(['auto', 'text', 'vector']).default('auto'))
      .option('--history', 'also what was replaced by an update')
      .option('--typos', 'also Latin words that are spelt nearly like those of the query')
      .option('--collapse', 'of near-duplicates only the best');

  as(command.command('add <text>').description('remember something; it is found by its words at once'))
    .addOption(new Option('--kind <kind>', 'what it is').choices(KINDS).default('note'))
    .option('--importance <0..1>', 'how much it matters', Number)
    .option('--namespace <name>', 'keeps it apart from others', '')
    .action(async (content: string, options: As & { kind: Kind; importance?: number; namespace: string }) => {
      const { kind, importance, namespace } = options;
      const answer = await call(memory.writeMemory, options, { content, kind, namespace, ...(importance === undefined ? {} : { importance }) });
      output().result(answer, `${answer.id} ${answer.result}; its vector is ${answer.embedding === 'pending' ? 'on its way' : answer.embedding}`);
    });

  searching(command.command('search <query>').description('best first, each with a score that means the same whatever else is stored')).action(
    async (query: string, options: Searching) => {
      const answer = await ask(query, options, false);
      const how = `mode ${answer.mode}${answer.semantic ? '' : ', spelling only'}${answer.degraded === undefined ? '' : `, degraded: ${answer.degraded}`}`;
      const rows = answer.hits.map(({ score, id, kind, content }) => [score.toFixed(2), id, kind, inOneLine(content)]);
      output().result(answer, rows.length === 0 ? `Nothing found (${how}).` : [...table([['SCORE', 'ID', 'KIND', 'CONTENT'], ...rows]), how]);
      if (rows.length === 0) process.exitCode = EXIT.findings;
    },
  );

  searching(command.command('explain <query>').description('where each score comes from')).action(async (query: string, options: Searching) => {
    const answer = await ask(query, options, true);
    const rows = answer.hits.map(({ score, explain, matched, missing, content }) => [
      score.toFixed(3),
      three(explain?.lex ?? null),
      three(explain?.sem ?? null),
      three(explain?.cos ?? null),
      three(explain?.floor ?? null),
      matched.join(' '),
      missing.join(' '),
      inOneLine(content),
    ]);
    output().result(answer, [
      'score = 1 − (1 − 0.9·sem)·(1 − 0.8·lex), sem = (cos − floor)/(1 − floor); equal texts score 1',
      `mode ${answer.mode}${answer.model === undefined ? '' : `, model ${answer.model}, scan ${answer.vectorScan}`}${answer.degraded === undefined ? '' : `, degraded: ${answer.degraded}`}`,
      '',
      ...table([['SCORE', 'LEX', 'SEM', 'COS', 'FLOOR', 'MATCHED', 'MISSING', 'CONTENT'], ...rows]),
    ]);
  });

  as(command.command('ls').description('newest first'))
    .option('--limit <n>', 'at most so many', Number, 50)
    .option('--history', 'also what was replaced by an update')
    .action(async (options: As & { limit: number; history?: boolean }) => {
      const found = await call(memory.listMemories, options, { limit: options.limit, includeHistory: options.history ?? false });
      const rows = found.memories.map(({ id, kind, createdAt, content, supersededBy }) => [
        id,
        kind,
        createdAt,
        supersededBy === undefined ? '' : 'replaced',
        inOneLine(content),
      ]);
      output().result(found, rows.length === 0 ? 'There are no memories.' : table([['ID', 'KIND', 'CREATED', 'STATE', 'CONTENT'], ...rows]));
    });

  as(command.command('show <id>').description('one memory, whole')).action(async (id: string, options: As) => {
    const found = await call(memory.getMemory, options, { id });
    const { content, ...facts } = found.memory;
    const lines = Object.entries(facts).map(([name, value]) => `${name.padEnd(13)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
    const alike = (found.nearDuplicates ?? []).map((other) => `says nearly   ${other.id} (${other.similarity.toFixed(2)} by ${other.by})`);
    output().result(found, [...lines, ...alike, '', content]);
  });

  as(command.command('update <id> <text>').description('replace it by a new revision; the old one stays in its history')).action(
    async (id: string, content: string, options: As) => {
      const answer = await call(memory.updateMemory, options, { id, content });
      output().result(answer, `${answer.id} replaces ${id}.`);
    },
  );

  as(command.command('rm <id>').description('make it invisible at once, and its content gone')).action(async (id: string, options: As) => {
    const answer = await call(memory.deleteMemory, options, { id });
    output().result(answer, answer.deleted ? `${id} is gone.` : `There is no ${id}.`);
    if (!answer.deleted) process.exitCode = EXIT.findings;
  });

  as(command.command('stats').description('how many there are, which model serves, and what is pending')).action(async (options: As) => {
    const stats = await call(memory.memoryStats, options, {});
    const models = (stats.models ?? []).map(({ id, kind, state, progress = 1, floor }) => [
      id,
      kind,
      state,
      `${Math.floor(progress * 100)}%`,
      floor === undefined ? 'not calibrated' : floor.toFixed(3),
    ]);
    output().result(stats, [
      `${stats.memories} memories on ${stats.backend}, pgvector ${stats.vectorExtension ? 'there' : 'missing: search goes by words'}`,
      `${stats.pendingEmbeddings} wait for a vector${stats.oldestPendingSeconds === undefined ? '' : `, the oldest for ${Math.round(stats.oldestPendingSeconds)} s`}; ${stats.failedEmbeddings ?? 0} refused by the model`,
      ...((stats.terms?.pending ?? 0) > 0 ? [`${stats.terms?.pending} still have terms of earlier rules; searches read both`] : []),
      ...(models.length === 0 ? ['No model makes vectors.'] : ['', ...table([['MODEL', 'KIND', 'STATE', 'HAS', 'FLOOR'], ...models])]),
    ]);
  });
  memoryArchiveCommands(command, output, mesh);
}
