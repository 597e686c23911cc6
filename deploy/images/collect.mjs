// Copies what one program needs to run, and nothing else: its own built files, those of the libraries that it uses, and the packages that they
// name as dependencies, as package-lock.json resolved them. The Dockerfile calls it for every image; tests start programs from what it collects.
//   node deploy/images/collect.mjs <project> <folder>        for example services/gateway /out
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
/** Of our own projects these stay behind: sources, tests, and what only building or reading needs. */
const NOT_RUN = new Set([
  'src',
  'test',
  'bench',
  'eval',
  'docs',
  'gen',
  'node_modules',
  'prisma.config.ts',
  'README.md',
  'vite.config.mjs',
  'build.mjs',
  'index.html',
  'public',
  'policies',
]);
const NOT_RUN_ENDINGS = ['.d.ts', '.map', '.tsbuildinfo', 'tsconfig.json', 'tsconfig.spec.json', 'schema.prisma'];
/** Of foreign packages: what is only there to be read or compiled against. */
const NOT_LOADED_ENDINGS = ['.d.ts', '.d.mts', '.d.cts', '.map', '.md', '.markdown', '.tsbuildinfo'];
/** Files that are read from beside a program, without an import that could tell. */
const BESIDE = {
  'services/gateway': ['services/console/dist/page'],
  'libs/cli': ['services/routing/prisma', 'services/push/prisma', 'services/memory/prisma', 'services/scheduler/prisma'],
};
/** Programs are started with telemetry loaded before them, so every one has it. */
const ALWAYS = ['libs/telemetry'];

const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;

/** Everything that `project` needs at run time: our projects and foreign packages, by their place in the repository. */
export function needsOf(project) {
  const found = new Set();
  const pending = [project, ...ALWAYS];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (found.has(place)) continue;
    found.add(place);
    const { dependencies = {}, peerDependencies = {}, peerDependenciesMeta = {} } = manifestOf(place);
    const peers = Object.keys(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true);
    for (const name of [...Object.keys(dependencies), ...peers]) {
      const resolved = resolve(place, name);
      if (resolved !== undefined) pending.push(resolved);
      else if (name in dependencies) throw new Error(`${place} needs ${name}, which package-lock.json does not have`);
    }
  }
  return [...found].sort();
}

/** A project of ours says itself what it needs: the lockfile repeats it, but a workspace may be newer than the last install. */
function manifestOf(place) {
  return place.includes('node_modules/') ? lock[place] : JSON.parse(readFileSync(path.join(root, place, 'package.json'), 'utf8'));
}

/** Where Node finds `name` from a place: in the nearest node_modules above, which may be a link to one of our projects. */
function resolve(place, name) {
  for (let at = place; ; at = parentOf(at)) {
    const candidate = path.posix.join(at, 'node_modules', name);
    const entry = lock[candidate];
    if (entry !== undefined) return entry.link ? entry.resolved : candidate;
    if (at === '') return undefined;
  }
}

function parentOf(place) {
  const cut = place.lastIndexOf('/node_modules/');
  if (cut >= 0) return place.slice(0, cut);
  return place.startsWith('node_modules/') || !place.includes('/') ? '' : path.posix.dirname(place);
}

/**
 * Copies what `project` needs into `folder`, which is made. Returns the places. `put(from, to)` puts one file there; tests link files instead
 * of copying them.
 */
export function collect(project, folder, put = copyFileSync) {
  const places = needsOf(project);
  for (const place of places) (place.includes('node_modules/') ? collectPackage : collectProject)(place, folder, put);
  for (const place of BESIDE[project] ?? []) putTree(place, folder, put, hasRunEnding);
  // Whoever looks for the root of the repository finds it here.
  writeFileSync(path.join(folder, 'nx.json'), '{}\n');
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify({ name: 'plexus', private: true, type: 'module' })}\n`);
  return places;
}

function collectProject(place, folder, put) {
  if (!existsSync(path.join(root, place, 'dist'))) throw new Error(`${place} is not built`);
  putTree(place, folder, put, (name, depth) => (depth > 0 || !NOT_RUN.has(name)) && hasRunEnding(name));
  const { name } = manifestOf(place);
  const link = path.join(folder, 'node_modules', name);
  mkdirSync(path.dirname(link), { recursive: true });
  symlinkSync(path.relative(path.dirname(link), path.join(folder, place)), link);
}

/** A package without those inside it: what of them is needed has a place of its own. */
function collectPackage(place, folder, put) {
  putTree(place, folder, put, (name) => name !== 'node_modules' && !NOT_LOADED_ENDINGS.some((ending) => name.endsWith(ending)));
}

const hasRunEnding = (name) => !NOT_RUN_ENDINGS.some((ending) => name.endsWith(ending));

function putTree(place, folder, put, wanted) {
  const from = path.join(root, place);
  // Not built, or not there: the program says so itself, and it works without (the console's page).
  if (existsSync(from)) putFolder(from, path.join(folder, place), put, wanted, 0);
}

function putFolder(from, to, put, wanted, depth) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (!wanted(entry.name, depth)) continue;
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) putFolder(source, target, put, wanted, depth + 1);
    else if (entry.isFile()) put(source, target);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [project, folder] = process.argv.slice(2);
  if (project === undefined || folder === undefined) {
    process.stderr.write('usage: collect.mjs <project> <folder>\n');
    process.exit(2);
  }
  process.stderr.write(`${collect(project, path.resolve(folder)).length} projects and packages\n`);
}
