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
