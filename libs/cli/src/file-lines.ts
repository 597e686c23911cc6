import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { CommandFailure, EXIT } from './exit-code.js';

/**
 * The lines of a text file, without their ends; empty ones only when they are asked for. A line ends at a line feed: readline would also end it at U+2028 and U+2029,
 * which JSON leaves as they are in texts.
 */
export async function* fileLines(file: string, { empty = false }: { readonly empty?: boolean } = {}): AsyncGenerator<string> {
  const source = createReadStream(file, 'utf8');
  try {
    await once(source, 'open');
  } catch (cause) {
    throw new CommandFailure(`${file} cannot be read: ${(cause as Error).message}`, EXIT.usage, undefined, 'UNREADABLE');
  }
  let pieces: string[] = [];
  for await (const chunk of source as AsyncIterable<string>) {
    const parts = chunk.split('\n');
    const rest = parts.pop() ?? '';
    for (const part of parts) {
      const line = withoutReturn([...pieces, part].join(''));
      pieces = [];
      if (empty || line !== '') yield line;
    }
    pieces.push(rest);
  }
  const last = withoutReturn(pieces.join(''));
  if (last !== '') yield last;
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
