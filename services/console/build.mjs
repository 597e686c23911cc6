// Builds the page into dist/page, when something is newer than it is. Whole or not at all: a gateway that serves it never sees half of one.
// Called as a script it builds; `pageIsCurrent()` says whether it would have to.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const here = import.meta.dirname;
const libraries = ['client-protocol', 'kernel'].map((name) => path.join(here, '../../libs', name, 'src'));
const sources = [...['src', 'public', 'index.html', 'vite.config.mjs', 'build.mjs', 'package.json'].map((name) => path.join(here, name)), ...libraries];
const page = path.join(here, 'dist/page');
const COMPRESSED = /\.(js|css|html|svg)$/;
const MIN_COMPRESSED_BYTES = 1_024;

/** True when the built page is as new as everything it is made of. */
export function pageIsCurrent() {
  const built = statSync(path.join(page, 'index.html'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return built > 0 && sources.every((source) => newestIn(source) <= built);
}

function newestIn(place) {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined) return 0;
  if (!found.isDirectory()) return found.mtimeMs;
  const inside = readdirSync(place, { withFileTypes: true }).filter(({ name }) => !/\.spec\.tsx?$/.test(name));
  return Math.max(0, ...inside.map(({ name }) => newestIn(path.join(place, name))));
}

async function buildPage() {
  const begunAt = new Date();
  // Whoever calls us may have another one (tests do): the page is always the real one.
  process.env.NODE_ENV = 'production';
  const { build } = await import('vite');
  const fresh = `${page}.${process.pid}`;
  try {
    await build({ configFile: path.join(here, 'vite.config.mjs'), logLevel: 'warn', build: { outDir: fresh } });
    compress(fresh);
    const old = `${page}.old-${process.pid}`;
    if (existsSync(page)) renameSync(page, old);
    renameSync(fresh, page);
    rmSync(old, { recursive: true, force: true });
    // As old as its beginning: what was changed while it was built is newer.
    utimesSync(path.join(page, 'index.html'), begunAt, begunAt);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Beside each text its compressed forms: the gateway only picks one. */
function compress(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (!entry.isFile() || !COMPRESSED.test(entry.name)) continue;
    const content = readFileSync(file);
    if (content.length < MIN_COMPRESSED_BYTES) continue;
    writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }));
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !pageIsCurrent()) await buildPage();
