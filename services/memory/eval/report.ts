import { spawnSync } from 'node:child_process';
import os from 'node:os';
import type { QueryKind } from './dataset.ts';
import type { SystemName } from './eval-memory.ts';
import { bootstrap, compare } from './metrics.ts';

/** One query with one system. */
export interface Measured {
  readonly kind: QueryKind;
  readonly recall1: number;
  readonly recall5: number;
  readonly recall10: number;
  readonly ndcg: number;
  readonly mrr: number;
  readonly returned: number;
}

export interface Conditions {
  readonly seed: number;
  readonly seedName: string;
  readonly model: string;
  readonly semantic: boolean;
  readonly dimensions: number;
  readonly memories: number;
  readonly queries: number;
  readonly k: number;
}

type Figure = Exclude<keyof Measured, 'kind'>;

const number = (value: number) => value.toFixed(3);
const of = (results: readonly Measured[], figure: Figure) => results.map((one) => one[figure]);

/** Mean and 95 % interval. */
function interval(values: readonly number[]): string {
  if (values.length === 0) return '–';
  const { mean, low, high } = bootstrap(values);
  return `${number(mean)} (${number(low)}–${number(high)})`;
}

export function summary(system: SystemName, results: readonly Measured[]): string {
  const { mean } = bootstrap(of(results, 'ndcg'));
  return `${system.padEnd(8)} nDCG@10 ${number(mean)}  success@1 ${number(bootstrap(of(results, 'recall1')).mean)}`;
}

/** The page of results, as Markdown. */
export function report(
  conditions: Conditions,
  measured: ReadonlyMap<SystemName, readonly Measured[]>,
  kinds: readonly QueryKind[],
  title = 'How well memory finds',
): string {
  const ours = measured.get('ours') ?? [];
  const all = [...measured];
  const overall = all.map(([system, results]) => {
    const verdict = system === 'ours' ? '' : { better: 'ours is better', worse: 'ours is worse', tie: 'tie' }[compare(of(ours, 'ndcg'), of(results, 'ndcg'))];
    const cells = (['recall1', 'recall5', 'recall10', 'ndcg', 'mrr', 'returned'] as const).map((figure) => interval(of(results, figure)));
    return `| ${system} | ${cells.join(' | ')} | ${verdict} |`;
  });
  const perKind = (figure: Figure) =>
    kinds.map((kind) => {
      const cells = all.map(([, results]) =>
        number(
          bootstrap(
            of(
              results.filter((one) => one.kind === kind),
              figure,
            ),
          ).mean,
        ),
      );
      return `| ${kind} (${ours.filter((one) => one.kind === kind).length}) | ${cells.join(' | ')} |`;
    });
  const names = all.map(([system]) => system);
  return [
    `# ${title}`,
    '',
    'Written by `npm run eval -- memory`; do not edit.',
    '',
    ...where(conditions),
    '',
    '## All queries',
    '',
    '| | success@1 | recall@5 (any) | recall@10 (all) | nDCG@10 | MRR@10 | rows returned | by nDCG@10 |',
    '|---|---|---|---|---|---|---|---|',
    ...overall,
    '',
    'Means with 95 % bootstrap intervals over queries (1,000 resamples). The last column compares query by query; what chance could have made is a tie.',
    '',
    ...table('nDCG@10 by kind of query', names, perKind('ndcg')),
    ...table('Recall@5 by kind of query', names, perKind('recall5')),
    '## What this is',
    '',
    'A generated set in Chinese and English: people say things about projects (some of them revised, some only talked about), public facts typed by hand, and chatter.',
    'Kinds: an exact ticket number; words in another order; a question; a word with a typo; another word for the same; a question in the other language; a question',
    'whose answer was revised twice. `ILIKE` looks for the query as it is; `lexical`, `vector` and `RRF` are single signals and rank fusion of the same service without',
    'a lowest score; `ours` is what a search does by default. It is one set made by templates: good for comparing ways of searching it, no promise about anybody else’s texts.',
    conditions.semantic
      ? 'The model is that of the named endpoint; whoever runs this answers for its being a real one.'
      : 'The embedder `local-hash` compares spellings. Meaning across words or languages needs a real model; name its endpoint with `MEMORY_EMBEDDER=openai` and `MEMORY_EMBEDDING_*` and run this again.',
    '',
  ].join('\n');
}

function where({ seed, seedName, model, semantic, dimensions, memories, queries, k }: Conditions): string[] {
  const [cpu] = os.cpus();
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout.trim();
  return [
    `- **When**: ${new Date().toISOString().slice(0, 10)}, commit ${commit}`,
    `- **Where**: ${os.cpus().length} × ${cpu?.model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB memory, ${os.type()} ${os.release()}, Node ${process.version}, PGlite`,
    `- **What**: ${memories} findable memories, ${queries} queries, ${seedName} seed ${seed}, k = ${k}, pool 200 per arm, exact vector scan`,
    `- **Embedder**: \`${model}\`, ${dimensions} dimensions, ${semantic ? 'semantic' : 'lexical, not semantic'}`,
  ];
}

function table(title: string, names: readonly string[], rows: readonly string[]): string[] {
  return [`## ${title}`, '', `| queries | ${names.join(' | ')} |`, `|---|${names.map(() => '---:').join('|')}|`, ...rows, ''];
}
