import { PlexusError } from '@plexus/kernel';
import { CommandFailure, EXIT } from './exit-code.js';

export type Writer = (text: string) => unknown;

/** Where a command prints: one JSON document with `--json`, text for people otherwise. */
export class Output {
  constructor(
    readonly json: boolean,
    private readonly out: Writer = (text) => process.stdout.write(text),
    private readonly err: Writer = (text) => process.stderr.write(text),
  ) {}

  /** The result: `data` as one JSON line with `--json`, else `text`. */
  result(data: unknown, text: string | readonly string[]): void {
    if (this.json) this.out(`${JSON.stringify(data)}\n`);
    else this.out(`${typeof text === 'string' ? text : text.join('\n')}\n`);
  }

  /** One element of an endless result (tail): a JSON line, or a line of text. */
  item(data: unknown, text: string): void {
    this.out(this.json ? `${JSON.stringify(data)}\n` : `${text}\n`);
  }

  /** Text that is a document of its own, as it is, with --json too. */
  raw(text: string): void {
    this.out(text);
  }

  /** For people only, on stderr, so that pipes see results alone. */
  note(text: string): void {
    if (!this.json) this.err(`${text}\n`);
  }

  /** Prints a failure and returns the exit code. */
  failure(error: unknown): number {
    const described = describe(error);
    if (this.json)
      this.out(`${JSON.stringify({ error: { code: described.code, message: described.message, ...(described.hint ? { hint: described.hint } : {}) } })}\n`);
    else this.err(`${described.message}\n${described.hint ? `→ ${described.hint}\n` : ''}`);
    return described.exitCode;
  }
}

function describe(error: unknown): { code: string; message: string; hint?: string; exitCode: number } {
  if (error instanceof CommandFailure)
    return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }), exitCode: error.exitCode };
  if (PlexusError.isPlexusError(error)) {
    const unreachable = ['NO_RESPONDERS', 'TIMEOUT', 'UNAVAILABLE'].includes(error.code);
    return { code: error.code, message: error.message, exitCode: unreachable ? EXIT.unreachable : EXIT.failed };
  }
  return { code: 'INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode: EXIT.failed };
}

/** Pads columns for a terminal; the last column is left as it is. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) => row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  '));
}
