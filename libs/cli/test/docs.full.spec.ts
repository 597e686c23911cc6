import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { markdownFiles, readPage } from './support/markdown.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
/** Inside the repository, so that packages are found as a program in it finds them. */
const folder = path.join(root, 'node_modules/.cache/plexus-docs-blocks');

/** TypeScript that says by its imports that it is a whole program of somebody who uses the SDK. */
const programs = markdownFiles(root).flatMap((file) =>
  readPage(root, file)
    .blocks.filter(({ language, text }) => ['ts', 'typescript'].includes(language) && /from '@plexus\/sdk/.test(text))
    .map(({ text, line }) => ({ name: `${file.replaceAll(/[^\w]+/g, '-')}-${line}.mts`, text })),
);

describe('TypeScript in the documentation', () => {
  beforeAll(() => {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('compiles against the SDK as it is', () => {
    expect(programs.length).toBeGreaterThan(3);
    for (const { name, text } of programs) writeFileSync(path.join(folder, name), `${text}\nexport {};\n`);
    const options = {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2023',
      lib: ['es2023', 'dom', 'dom.asynciterable'],
      strict: true,
      noEmit: true,
    };
    const config = {
      compilerOptions: { ...options, skipLibCheck: true, types: ['node'], typeRoots: [path.join(root, 'node_modules/@types')] },
      include: ['*.mts'],
    };
    writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { status, stdout } = spawnSync(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], { encoding: 'utf8' });
    expect([stdout, status]).toEqual(['', 0]);
  }, 480_000);
});

describe('the site', () => {
  const site = path.join(root, 'node_modules/.cache/plexus-docs-site');
  afterAll(() => rmSync(site, { recursive: true, force: true }));

  it('is built without a dead link, with every page that the menu leads to', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [path.join(root, 'node_modules/vitepress/bin/vitepress.js'), 'build', 'docs', '--outDir', site],
      {
        cwd: root,
        encoding: 'utf8',
      },
    );
    expect([status, status === 0 ? '' : `${stdout}${stderr}`]).toEqual([0, '']);
    const menu = [...readFileSync(path.join(site, 'start.html'), 'utf8').matchAll(/href="(\/[^"#]*)"/g)].map(([, link = '']) => link);
    const pages = [...new Set(menu)].filter((link) => !link.startsWith('/assets/') && path.extname(link) === '');
    expect(pages.length).toBeGreaterThan(30);
    expect(pages.filter((link) => !existsSync(path.join(site, link.endsWith('/') ? `${link}index.html` : `${link}.html`)))).toEqual([]);
  }, 480_000);
});
