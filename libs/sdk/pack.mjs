// Makes the package that a stranger installs: `node libs/sdk/pack.mjs [folder]` writes plexus-sdk-<version>.tgz there (default: libs/sdk/dist)
// and prints its path. The workspace's own libraries are bundled in (JavaScript by Rolldown, types copied); everything else is a dependency
// of exactly the version that is tested here.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const sdk = path.dirname(fileURLToPath(import.meta.url));
const libs = path.dirname(sdk);
const target = path.resolve(process.argv[2] ?? path.join(sdk, 'dist'));
// Beside the package, so that two who pack at the same time do not meet.
const staging = path.join(target, '.staging');
const manifest = JSON.parse(readFileSync(path.join(sdk, 'package.json'), 'utf8'));
const ENTRIES = { index: '.', http: './http', gateway: './gateway', contracts: './contracts' };
/** One file that imports nothing, for pages without a bundler. */
const BROWSER = 'browser';
const ALL = { ...ENTRIES, [BROWSER]: `./${BROWSER}` };
const OURS = /^@plexus\/([a-z-]+)(?:\/([a-z-]+))?$/;
const IMPORTS = /((?:from|import)\s*\(?\s*)(['"])([^'"]+)\2/g;

const copied = new Set();
rmSync(staging, { recursive: true, force: true });
mkdirSync(staging, { recursive: true });

const externals = await bundle();
await bundleForPages();
for (const entry of Object.keys(ALL)) copyTypes(path.join(sdk, 'dist/src', `${entry}.d.ts`));
writeManifest([...externals].sort());
for (const file of ['README.md', '../../LICENSE']) writeFileSync(path.join(staging, path.basename(file)), readFileSync(path.join(sdk, file)));
process.stdout.write(`${pack()}\n`);

/** One file per entry and what they share; returns the packages that stay outside. */
async function bundle() {
  const outside = new Set();
  const build = await rolldown({
    input: Object.fromEntries(Object.keys(ENTRIES).map((entry) => [entry, path.join(sdk, 'dist/src', `${entry}.js`)])),
    external: (id) => {
      if (id.startsWith('.') || path.isAbsolute(id) || OURS.test(id)) return false;
      if (!id.startsWith('node:')) outside.add(id.startsWith('@') ? id.split('/').slice(0, 2).join('/') : id.split('/')[0]);
      return true;
    },
    platform: 'neutral',
    // Our own modules do nothing when they are loaded: whatever is not used goes.
    treeshake: { moduleSideEffects: (id) => !id.startsWith(libs) },
  });
  const { output } = await build.write({ dir: staging, format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js' });
  await build.close();
  // What tree shaking removed is no dependency.
  const left = new Set(output.flatMap((chunk) => (chunk.type === 'chunk' ? [...chunk.imports, ...chunk.dynamicImports] : [])));
  return new Set([...outside].filter((name) => [...left].some((id) => id === name || id.startsWith(`${name}/`))));
}

/** Everything in one file, with what is zod's inside and its licence above it. */
async function bundleForPages() {
  const zod = readFileSync(path.join(path.dirname(fileURLToPath(import.meta.resolve('zod'))), 'LICENSE'), 'utf8').trim();
  const build = await rolldown({
    input: path.join(sdk, 'dist/src', `${BROWSER}.js`),
    platform: 'browser',
    treeshake: { moduleSideEffects: (id) => !id.startsWith(libs) || id.endsWith('without-compiling.js') },
  });
  const banner = `/*! @plexus/sdk ${manifest.version}, ${manifest.license}. Contains zod:\n\n${zod}\n*/`;
  await build.write({ file: path.join(staging, `${BROWSER}.js`), format: 'esm', minify: true, banner, codeSplitting: false });
  await build.close();
}

/** Where a declaration file of the workspace goes in the package. */
function placeOf(file) {
  const [project, ...rest] = path.relative(libs, file).split(path.sep);
  return path.join(staging, project === 'sdk' ? '' : `types/${project}`, ...rest.slice(2));
}

/** Copies a declaration file and all that it reaches, with relative paths in place of the workspace's names. */
function copyTypes(file, done = copied) {
  if (done.has(file)) return;
  done.add(file);
  const text = readFileSync(file, 'utf8').replace(IMPORTS, (whole, before, quote, id) => {
    const reached = reach(file, id);
    if (reached === undefined) return whole;
    copyTypes(reached, done);
    const relative = path.relative(path.dirname(placeOf(file)), placeOf(reached)).replace(/\.d\.ts$/, '.js');
    return `${before}${quote}${relative.startsWith('.') ? relative : `./${relative}`}${quote}`;
  });
  const place = placeOf(file);
  mkdirSync(path.dirname(place), { recursive: true });
  writeFileSync(place, text.replace(/\n?\/\/# sourceMappingURL=.*$/m, ''));
}

function reach(from, id) {
  const ours = OURS.exec(id);
  const file = ours
    ? path.join(libs, ours[1], 'dist/src', ours[2] ?? '', 'index.d.ts')
    : id.startsWith('.')
      ? path.join(path.dirname(from), id.replace(/\.js$/, '.d.ts'))
      : undefined;
  if (file !== undefined && !existsSync(file)) throw new Error(`${path.relative(libs, from)} needs ${id}, which is not built: run npm run build first.`);
  return file;
}

function writeManifest(outside) {
  const versions = Object.assign(
    {},
    ...readdirSync(libs)
      .map((name) => path.join(libs, name, 'package.json'))
      .filter(existsSync)
      .map((file) => JSON.parse(readFileSync(file, 'utf8')).dependencies),
  );
  const { name, version, description, license, type } = manifest;
  // Types of these are named in our own.
  const named = new Set([...outside, 'zod', '@nats-io/transport-node']);
  const dependencies = Object.fromEntries([...named].sort().map((dependency) => [dependency, versions[dependency]]));
  const entries = Object.entries(ALL).map(([entry, place]) => [place, { types: `./${entry}.d.ts`, default: `./${entry}.js` }]);
  const content = {
    name,
    version,
    description,
    license,
    type,
    sideEffects: false,
    engines: { node: '>=20.19' },
    exports: Object.fromEntries(entries),
    dependencies,
  };
  writeFileSync(path.join(staging, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

function pack() {
  mkdirSync(target, { recursive: true });
  const { status, stdout, stderr } = spawnSync('npm', ['pack', '--json', '--silent', '--pack-destination', target], { cwd: staging, encoding: 'utf8' });
  if (status !== 0) throw new Error(`npm pack failed: ${stderr}`);
  const answer = JSON.parse(stdout);
  const [{ filename }] = Array.isArray(answer) ? answer : Object.values(answer);
  return path.join(target, filename);
}
