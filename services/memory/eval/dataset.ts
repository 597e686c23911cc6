import type { Gold } from './metrics.ts';
import { PUBLIC_FACTS, questionOf, sentenceOf } from './public-facts.ts';
import { Random } from './random.ts';
import { ATTRIBUTES, type Attribute, CHATTER, type Pair, PERSONAS, PROJECTS } from './vocabulary.ts';

export type Language = 'en' | 'zh';
export const QUERY_KINDS = ['id', 're-ordered', 'question', 'typo', 'synonym', 'other language', 'update'] as const;
export type QueryKind = (typeof QUERY_KINDS)[number];

export interface EvalMemory {
  readonly key: string;
  readonly content: string;
  /** The memory that this one replaces. */
  readonly replaces?: string;
}

export interface EvalQuery {
  readonly kind: QueryKind;
  readonly language: Language;
  readonly text: string;
  readonly gold: Gold;
}

export interface EvalSet {
  readonly memories: readonly EvalMemory[];
  readonly queries: readonly EvalQuery[];
}

/** Rules and weights may be tried out on the first; published figures come from the second. */
export const SEEDS = { dev: 1_001, 'held-out': 9_007 } as const;

/** So many of the statements are asked about, per kind of query. */
const ASKED_SHARE = 0.3;
const CHAIN_SHARE = 0.15;
const CHATTER_COUNT = 300;

interface Statement {
  readonly key: string;
  readonly ticket: string;
  readonly project: Pair;
  readonly attribute: Attribute;
  readonly language: Language;
  readonly value: Pair;
  readonly about: string[];
}

/** Statements of people about projects with what distracts from them, public facts, chains of updates; the same for the same seed. */
export function generate(seed: number): EvalSet {
  const random = new Random(seed);
  const memories: EvalMemory[] = [];
  const queries: EvalQuery[] = [];
  let tickets = 1_000;
  for (const project of PROJECTS) {
    for (const attribute of ATTRIBUTES) {
      tickets += 1 + random.index(7);
      const ticket = `${project.en.slice(0, 3).toUpperCase()}-${tickets}`;
      const language = random.pick(['en', 'zh'] as const);
      const statement = { key: ticket, ticket, project, attribute, language, value: random.pick(attribute.values), about: [] as string[] };
      const chain = random.next() < CHAIN_SHARE;
      memories.push(...(chain ? chainOf(statement, random) : [{ key: ticket, content: sayingOf(statement, random) }]));
      if (random.next() < 0.4) memories.push(distraction(statement));
      queries.push(...queriesAbout(statement, chain, random));
    }
  }
  addPublicFacts(memories, queries, random);
  for (let n = 0; n < CHATTER_COUNT; n += 1) memories.push(chatter(n, random));
  return { memories: spread(memories, random), queries };
}

function sayingOf({ ticket, project, attribute, language, value }: Statement, random: Random): string {
  const persona = random.pick(PERSONAS);
  return language === 'en'
    ? `${persona.en} noted in ${ticket}: the ${attribute.en} of project ${project.en} is ${value.en}.`
    : `${persona.zh}在 ${ticket} 中记录:项目${project.zh}的${attribute.zh}是${value.zh}。`;
}

/** Three revisions; only the last one holds, and it alone answers. */
function chainOf(statement: Statement, random: Random): EvalMemory[] {
  const values = random.shuffled(statement.attribute.values).slice(0, 3);
  return values.map((value, index) => ({
    key: index === values.length - 1 ? statement.key : `${statement.key}#${index + 1}`,
    content: sayingOf({ ...statement, value }, random),
    ...(index === 0 ? {} : { replaces: `${statement.key}#${index}` }),
  }));
}

/** About the same, without an answer: grade 1. */
function distraction(statement: Statement): EvalMemory {
  const { project, attribute, language } = statement;
  const key = `${statement.key}?`;
  statement.about.push(key);
  const content =
    language === 'en'
      ? `The team talked about the ${attribute.en} of project ${project.en} and adjourned.`
      : `团队讨论了项目${project.zh}的${attribute.zh},没有结论。`;
  return { key, content };
}

function chatter(n: number, random: Random): EvalMemory {
  const [line, persona, language] = [random.pick(CHATTER), random.pick(PERSONAS), random.pick(['en', 'zh'] as const)];
  return { key: `chatter-${n}`, content: language === 'en' ? `${persona.en}, day ${n + 1}: ${line.en}` : `${persona.zh},第 ${n + 1} 天:${line.zh}` };
}

function queriesAbout(statement: Statement, chain: boolean, random: Random): EvalQuery[] {
  const { ticket, project, attribute, language } = statement;
  const other: Language = language === 'en' ? 'zh' : 'en';
  const gold: Gold = new Map([[statement.key, 2 as const], ...statement.about.map((key) => [key, 1] as const)]);
  const ask = (kind: QueryKind, text: string, asked = language): EvalQuery[] => [{ kind, language: asked, text, gold }];
  if (chain) return ask('update', question(project, attribute, language));
  const kinds: Record<Exclude<QueryKind, 'update'>, () => EvalQuery[]> = {
    id: () => [{ kind: 'id', language, text: ticket, gold: new Map([[statement.key, 2]]) }],
    're-ordered': () => ask('re-ordered', random.shuffled([project[language], attribute[language], statement.value[language]]).join(' ')),
    question: () => ask('question', question(project, attribute, language)),
    typo: () => ask('typo', withTypo(project[language], language, random, attribute[language])),
    synonym: () => ask('synonym', question(project, attribute.synonym, language)),
    'other language': () => ask('other language', question(project, attribute, other), other),
  };
  return Object.values(kinds).flatMap((make) => (random.next() < ASKED_SHARE ? make() : []));
}

function question(project: Pair, what: Pair, language: Language): string {
  return language === 'en' ? `What is the ${what.en} of project ${project.en}?` : `项目${project.zh}的${what.zh}是什么?`;
}

/** One letter too few in a word, or one character of a Chinese one replaced. */
function withTypo(project: string, language: Language, random: Random, attribute: string): string {
  if (language === 'zh') return `${project}${attribute.slice(0, -1)}哭`;
  const at = 1 + random.index(attribute.length - 2);
  return `${project} ${attribute.slice(0, at)}${attribute.slice(at + 1)}`;
}

function addPublicFacts(memories: EvalMemory[], queries: EvalQuery[], random: Random): void {
  for (const [index, fact] of PUBLIC_FACTS.entries()) {
    const [language, other] = random.shuffled(['en', 'zh'] as const) as [Language, Language];
    const key = `fact-${index}`;
    memories.push({ key, content: sentenceOf(fact, language) });
    const gold: Gold = new Map([[key, 2]]);
    if (random.next() < ASKED_SHARE) queries.push({ kind: 'question', language, text: questionOf(fact, language), gold });
    if (random.next() < ASKED_SHARE) queries.push({ kind: 'other language', language: other, text: questionOf(fact, other), gold });
  }
}

/** Mixed, but each revision behind the one that it replaces. */
function spread(memories: readonly EvalMemory[], random: Random): EvalMemory[] {
  const first = random.shuffled(memories.filter(({ replaces }) => replaces === undefined));
  return [...first, ...memories.filter(({ replaces }) => replaces !== undefined)];
}
