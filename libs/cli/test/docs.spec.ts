import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import JSON5 from 'json5';
import { parseAllDocuments } from 'yaml';
import { createProgram } from '../src/program.js';
import { cliPage } from './support/cli-page.js';
import { type Block, markdownFiles, readPage } from './support/markdown.js';
import { commandsOf, problemOf } from './support/shell-lines.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const pages = new Map(markdownFiles(root).map((file) => [file, readPage(root, file)]));
const { program } = createProgram(
  {},
  () => true,
  () => true,
);
const scripts = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).scripts as Record<string, string>;

const SHELL = new Set(['', 'sh', 'bash', 'shell', 'console']);
/** What the checks find, as `file:line what`. */
const findings = (check: (file: string, block: Block) => (string | undefined)[]): string[] =>
  [...pages].flatMap(([file, { blocks }]) =>
    blocks.flatMap((block) =>
      check(file, block)
        .filter((found) => found !== undefined)
        .map((found) => `${file}:${block.line} ${found}`),
    ),
  );
const commands = (check: (words: readonly string[], file: string) => string | undefined): string[] =>
  findings((file, { language, text }) => (SHELL.has(language) ? commandsOf(text).map((words) => check(words, file)) : []));

function parseProblem(parse: () => unknown): string | undefined {
  try {
    parse();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function linkProblem(file: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined;
  const [name = '', anchor] = target.split('#');
  const wanted = name === '' ? file : path.posix.join(path.posix.dirname(file), decodeURI(name));
  if (wanted.startsWith('..')) return `${target} leads out of the repository`;
  if (!existsSync(path.join(root, wanted))) return `${target} does not exist`;
  if (anchor === undefined) return undefined;
  const page = pages.get(statSync(path.join(root, wanted)).isDirectory() ? path.posix.join(wanted, 'README.md') : wanted);
  return page === undefined || page.anchors.has(anchor) ? undefined : `${target}: no such heading`;
}

describe('the documentation', () => {
  it('links only to files and headings that exist', () => {
    expect(
      [...pages.values()].flatMap(({ file, links }) => links.map(({ target, line }) => [`${file}:${line}`, linkProblem(file, target)])).filter(([, it]) => it),
    ).toEqual([]);
  });

  it('names only tests that exist', () => {
    const named = [...pages.keys()].flatMap((file) =>
      [...readFileSync(path.join(root, file), 'utf8').matchAll(/`((?:libs|services|deploy)\/[\w./-]+\.spec\.ts)`/g)].map(([, name = '']) => ({ file, name })),
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter(({ name }) => !existsSync(path.join(root, name)))).toEqual([]);
  });

  it('names only routes that the gateway has', () => {
    const reference = readFileSync(path.join(root, 'docs/reference/http.md'), 'utf8');
    const shape = (route: string): string => route.replaceAll(/\{\w+\}|:\w+|<\w+>/g, '*').replace(/[?].*$/, '');
    const known = new Set([...reference.matchAll(/^\| `([A-Z]+ \/v1\/[^`]+)`/gm)].map(([, route = '']) => shape(route)));
    known.add('GET /v1/openapi.json'); // it does not describe itself
    const named = [...pages.keys()].flatMap((file) =>
      [...readFileSync(path.join(root, file), 'utf8').matchAll(/\b((?:GET|POST|PUT|PATCH|DELETE) \/v1\/(?:[\w:<>/-]|\{\w+\}|\.\w)+)/g)].map(
        ([, route = '']) => ({
          file,
          route,
        }),
      ),
    );
    expect(known.size).toBeGreaterThan(100);
    // One that ends with a slash goes on with several alternatives.
    expect(named.filter(({ route }) => !route.endsWith('/') && !known.has(shape(route)))).toEqual([]);
  });

  it('has JSON, JSON5 and YAML that can be read', () => {
    const problems = findings((_file, { language, text }) => {
      if (language === 'json') return [parseProblem(() => JSON.parse(text))];
      if (language === 'json5') return [parseProblem(() => JSON5.parse(text))];
      return language === 'yaml' ? parseAllDocuments(text).flatMap(({ errors }) => errors.map(({ message }) => message)) : [];
    });
    expect(problems).toEqual([]);
  });

  it('calls the program only with commands, options and arguments that it has', () => {
    const problems = commands((words) => {
      const [first, second] = words;
      if (first === 'plexus') return problemOf(program, words.slice(1));
      return first === 'npx' && second === 'plexus' ? problemOf(program, words.slice(2)) : undefined;
    });
    expect(problems).toEqual([]);
  });

  it('is as right about commands in the console, which shows them where nothing is yet', () => {
    const folder = path.join(root, 'services/console/src');
    const shown = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .flatMap((file) =>
        [...readFileSync(path.join(folder, file), 'utf8').matchAll(/(['"`])npx plexus ((?:(?!\1|\\n).)+)/g)].map(([, , line = '']) => ({ file, line })),
      );
    expect(shown.length).toBeGreaterThan(3);
    expect(shown.map(({ file, line }) => [file, line, problemOf(program, commandsOf(line)[0] ?? [])]).filter(([, , problem]) => problem !== undefined)).toEqual(
      [],
    );
  });

  it('runs only scripts of the package and files that exist', () => {
    const problems = commands((words, file) => {
      const [first, second = '', third] = words;
      const of = words.includes('-w') ? undefined : second === 'run' ? third : ['start', 'test'].includes(second) ? second : undefined;
      const here = path.join(root, path.dirname(file));
      if (first === 'npm' && of !== undefined && !of.startsWith('-')) {
        const own = path.join(here, 'package.json');
        const known = existsSync(own) ? { ...scripts, ...JSON.parse(readFileSync(own, 'utf8')).scripts } : scripts;
        // A block may go to a folder first.
        return of in known || of === 'generate' ? undefined : `there is no script ${of}`;
      }
      const program = first === 'node' ? words.slice(1).find((word) => !word.startsWith('-')) : first?.startsWith('examples/') ? first : undefined;
      if (program === undefined || !/^[\w./-]+\.(ts|mjs|js|sh)$/.test(program) || program.includes('dist/')) return undefined;
      return existsSync(path.join(root, program)) || existsSync(path.join(here, program)) ? undefined : `${program} does not exist`;
    });
    expect(problems).toEqual([]);
  });

  it('has every page that the site leads to', () => {
    const config = readFileSync(path.join(root, 'docs/.vitepress/config.mts'), 'utf8');
    const links = [...config.matchAll(/page\('[^']+', '\/([^']+)'\)/g)].map(([, link = '']) => link.replace(/\/$/, '/README'));
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => ![`docs/${link}.md`, `${link}.md`].some((file) => pages.has(file)))).toEqual([]);
  });
});

describe('docs/reference/cli.md', () => {
  it('is what the program declares now (UPDATE_README=1 writes it)', () => {
    const file = path.join(root, 'docs/reference/cli.md');
    if (process.env.UPDATE_README === '1') writeFileSync(file, cliPage(program));
    else expect(readFileSync(file, 'utf8')).toBe(cliPage(program));
  });
});

describe('the check of commands', () => {
  it.each([
    [`plexus vm ls --json | head\nFOO=1 npx plexus token mint --user "a b" # comment`, [undefined, 'head', undefined]],
    ['plexus vm no-such', ['vm has no command no-such', undefined]],
    ['plexus vm ls --no-such-option', ['ls has no option --no-such-option', undefined]],
    ['plexus vm why', ['why needs 1 arguments, 0 are given', undefined]],
  ])('finds what is wrong with %s', (text, [wanted]) => {
    const [words = []] = commandsOf(text);
    expect(problemOf(program, words.slice(1))).toBe(wanted);
  });

  it('takes quotes, pipes, variables and comments apart', () => {
    expect(commandsOf(`A=1 B="x y" plexus push silence add case=case-7 --reason 'being looked into' && cat f # end`)).toEqual([
      ['plexus', 'push', 'silence', 'add', 'case=case-7', '--reason', 'being looked into'],
      ['cat', 'f'],
    ]);
  });
});
