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
  let out = '';
  let err = '';
  const code = await runCommand(
    args,
    environment,
    (text) => void (out += text),
    (text) => void (err += text),
  );
  return { code, out, err, json: <T>() => JSON.parse(out) as T };
}
