// Where the projects are and how their tools are called: shared by the other scripts in this folder.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, globSync, readdirSync } from 'node:fs';
import { setPriority } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Every workspace project: `libs/<x>`, `services/<x>`, and `deploy`. */
export function projects() {
  const grouped = ['libs', 'services'].flatMap((group) =>
    readdirSync(path.join(root, group))
      .filter((name) => existsSync(path.join(root, group, name, 'package.json')))
      .sort()
      .map((name) => `${group}/${name}`),
  );
  return [...grouped, 'deploy'];
}

/** Files of a project that match a glob pattern relative to it. */
export function filesOf(project, pattern) {
  return globSync(pattern, { cwd: path.join(root, project) });
}

/** Path of a JavaScript tool in node_modules. */
export const tool = (file) => path.join(root, 'node_modules', file);

/** Environment in which `node` is Node 24 for every child. */
export function environment(extra = {}) {
  return { ...process.env, PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH}`, ...extra };
}

/** The scripts after set-up run on Node 24. Called directly on an older one, a script starts itself again and ends with that exit code. */
export async function onNode24(script) {
  if (Number(process.versions.node.split('.')[0]) >= 24) return;
  const node = path.join(root, 'node_modules/.bin/node');
  if (!existsSync(node)) {
    process.stderr.write('Node 24 is not installed on this machine, and node_modules has none for this platform. Install Node 24 and try again.\n');
    process.exit(1);
  }
  const child = spawn(node, [fileURLToPath(script), ...process.argv.slice(2)], { stdio: 'inherit', env: environment() });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const code = await new Promise((resolve) => child.once('exit', (status, signal) => resolve(status ?? (signal === null ? 1 : 143))));
  process.exit(code);
}

/** Runs a command to its end; its output comes back as text. */
export function capture(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', env: environment(), maxBuffer: 64 * 1024 * 1024, ...options });
  return { ok: result.status === 0, output: `${result.stdout ?? ''}${result.stderr ?? ''}${result.error ? String(result.error) : ''}`.trim() };
}

/**
 * Runs a command in a process group of its own, kills the whole group when it takes longer than `budgetMs`, and resolves with
 * `{ code, output, late }`; never rejects. `niceness`: how far it stands back behind others (0 to 19).
 */
export function runWithin(budgetMs, command, args, { niceness = 0, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, env: environment(), ...options, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    // Inherited by whatever it starts from now on.
    if (niceness !== 0 && child.pid !== undefined) setPriority(child.pid, niceness);
    let output = '';
    let late = false;
    let done = false;
    const settle = (code) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output, late });
    };
    const timer = setTimeout(() => {
      late = true;
      killGroup(child, 'SIGTERM');
      setTimeout(() => {
        killGroup(child, 'SIGKILL');
        settle(1);
      }, 3_000).unref();
    }, budgetMs);
    running.add(child);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output = (output + text).slice(-400_000)));
    child.once('error', (error) => {
      output += String(error);
      settle(1);
    });
    child.once('exit', (code) => settle(code ?? 1));
  });
}

const running = new Set();

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // the group is gone already
  }
}

/** Ends whatever {@link runWithin} still runs. */
export function killRunning() {
  for (const child of running) killGroup(child, 'SIGKILL');
}
