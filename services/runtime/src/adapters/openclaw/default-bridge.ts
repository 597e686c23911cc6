import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = path.join('bridge', 'openclaw-bridge.mjs');

/** Program and arguments of the bridge that comes with the runtime: beside `src` and `dist`, whichever of them this is run from. */
export function defaultBridgeCommand(): string[] {
  let folder = path.dirname(fileURLToPath(import.meta.url));
  while (!existsSync(path.join(folder, PROGRAM)) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  return [process.execPath, path.join(folder, PROGRAM)];
}

/** What a bridge sees of the runtime's environment: where programs and files are, proxies, and what is meant for OpenClaw. Nothing else. */
const PASSED =
  /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TMPDIR|(?:HTTPS?|NO|ALL)_PROXY|SSL_CERT_(?:FILE|DIR)|NODE_EXTRA_CA_CERTS|OPENCLAW_[A-Z_]+|PLEXUS_WORKDIR)$/i;

export function bridgeEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && PASSED.test(entry[0])));
}
