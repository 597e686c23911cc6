// Builds the images: `node deploy/images/build.mjs [--registry host/path] [--tag 0.1.0] [--push] [target …]`. Needs Docker (with BuildKit) or Podman.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
const TARGETS = ['gateway', 'routing', 'push', 'memory', 'scheduler', 'channels', 'runtime', 'cli'];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    registry: { type: 'string', default: 'plexus' },
    tag: { type: 'string', default: JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version },
    push: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((target) => !TARGETS.includes(target));
if (unknown.length > 0) end(`There is no image ${unknown.join(', ')}. There are: ${TARGETS.join(', ')}.`, 2);

const engine = ['docker', 'podman'].find((command) => spawnSync(command, ['info'], { stdio: 'ignore', timeout: 30_000 }).status === 0);
if (engine === undefined) end('Neither Docker nor Podman has an engine that answers here: images cannot be built on this machine.', 1);

for (const target of positionals.length > 0 ? positionals : TARGETS) {
  const image = `${values.registry}/${target}:${values.tag}`;
  process.stderr.write(`${image}\n`);
  run('build', '--file', 'deploy/images/Dockerfile', '--target', target, '--tag', image, '.');
  if (values.push) run('push', image);
}

function run(...args) {
  const { status } = spawnSync(engine, args, { cwd: root, stdio: 'inherit', env: { ...process.env, DOCKER_BUILDKIT: '1' } });
  if (status !== 0) end(`${engine} ${args[0]} failed.`, 1);
}

function end(sentence, code) {
  process.stderr.write(`${sentence}\n`);
  process.exit(code);
}
