// Runs before `npm run test:full`: builds Helm, which neither npm nor Debian has, with Go from its pinned version into `cache/`. The Go module
// proxy and its checksum database vouch for the source. A Helm 3 on PATH is taken instead. Without Go, or when it cannot be built, it says so
// and ends well: the suites that render the chart report themselves as skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const record = path.join(root, 'cache/helm.json');

const VERSION = 'v3.22.0';
/** What `helm template` takes for the version of the cluster; a plain build would say 1.20. */
const KUBERNETES = { major: 1, minor: 34 };
const BUILD_MS = 600_000;

/** Makes it available. Says why where that is not possible; never ends the process. */
export function setupHelm() {
  const onPath = run('helm', ['version', '--template', '{{.Version}}']);
  if (onPath.status === 0 && /^v3\./.test(onPath.stdout)) return note(onPath.stdout.trim(), 'helm');
  const binary = path.join(root, 'cache', `helm-${VERSION}`, process.platform === 'win32' ? 'helm.exe' : 'helm');
  if (!existsSync(binary)) {
    const problem = buildInto(path.dirname(binary));
    if (problem !== undefined) return skip(problem);
  }
  note(VERSION, binary);
}

function buildInto(folder) {
  if (run('go', ['version']).status !== 0) return 'Go is not installed';
  process.stderr.write(`Building Helm ${VERSION} for the suites that render the chart (some minutes, once) …\n`);
  const draft = `${folder}.${process.pid}`;
  const packages = ['pkg/lint/rules', 'pkg/chartutil'].map((name) => `helm.sh/helm/v3/${name}`);
  const flags = [
    '-s -w',
    `-X helm.sh/helm/v3/internal/version.version=${VERSION}`,
    ...packages.map((name) => `-X ${name}.k8sVersionMajor=${KUBERNETES.major} -X ${name}.k8sVersionMinor=${KUBERNETES.minor}`),
  ];
  const env = { ...process.env, GOBIN: draft };
  const built = run('go', ['install', `-ldflags=${flags.join(' ')}`, `helm.sh/helm/v3/cmd/helm@${VERSION}`], { env, timeout: BUILD_MS });
  try {
    if (built.status !== 0) return `it could not be built: ${`${built.stderr ?? ''}${built.error ?? ''}`.trim().split('\n').at(-1)}`;
    renameSync(draft, folder);
    return undefined;
  } catch (error) {
    if (existsSync(folder)) return undefined; // somebody else was faster
    throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { encoding: 'utf8', timeout: 20_000, stdio: ['ignore', 'pipe', 'pipe'], ...options });
}

function note(version, bin) {
  mkdirSync(path.dirname(record), { recursive: true });
  writeFileSync(record, `${JSON.stringify({ name: `helm ${version}`, bin })}\n`);
}

function skip(reason) {
  rmSync(record, { force: true });
  process.stderr.write(`No Helm (${reason}): the suites that render the chart are skipped.\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setupHelm();
