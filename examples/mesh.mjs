// Where the mesh of `npm start` is, for the examples: addresses from the record that it keeps in its state folder, credentials from the files
// beside it. A service of yours gets the same from its own settings.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export const stateDir = path.resolve(process.env.PLEXUS_STATE_DIR ?? '.plexus');
const read = (file) => readFileSync(path.join(stateDir, file), 'utf8').trim();

/** @returns {{ gateway: { ws: string, http: string }, nats: string }} */
export function addresses() {
  try {
    return JSON.parse(read('mesh.json'));
  } catch {
    throw new Error(`No mesh runs on ${stateDir}. Start one with \`npm start\`, in the folder of this repository.`);
  }
}

/** The first user's token: administrator of tenant `default`. */
export const token = () => read('credentials/token');
/** What the NATS server knows the integrator `demo` of tenant `default` by. */
export const demo = () => ({ user: 'demo', pass: read('credentials/demo.password') });

const command = path.resolve(import.meta.dirname, '../libs/cli/bin/plexus.mjs');
/** What the `plexus` command says; throws when it fails. @param {...string} args @returns {string} */
export const plexus = (...args) =>
  execFileSync(process.execPath, [command, '--state', stateDir, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
