import type { TestMesh } from '@plexus/testing';
import { runCommand } from '../src/program.js';

export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The one JSON document on stdout. */
  json<T>(): T;
}

/** Runs one `plexus` call in this process, as the shell would. */
export async function plexus(args: readonly string[], environment: Record<string, string> = {}): Promise<CommandResult> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(
    args,
    environment,
    (text) => out.push(text),
    (text) => err.push(text),
  );
  return { code, out: out.join(''), err: err.join(''), json: <T>() => JSON.parse(out.join('')) as T };
}

/** How a running mesh is spoken to: `run` is a command with its answer as JSON, `call` the gateway's HTTP API. */
export function callsOf(mesh: () => TestMesh) {
  return {
    run: (...args: string[]): Promise<CommandResult> => plexus(['--state', mesh().stateDir, '--json', ...args]),
    call: (method: string, url: string, body?: string, token = mesh().token): Promise<Response> =>
      fetch(`${mesh().gateway.http}${url}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body }),
      }),
  };
}
