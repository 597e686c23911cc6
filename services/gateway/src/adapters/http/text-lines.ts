import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { plexusError } from '@plexus/contracts';

/**
 * The lines of a body of any size, without their ends, one at a time. Rejects with PAYLOAD_TOO_LARGE when one is longer than `maxLength`: a
 * body without line feeds would otherwise fill the memory. The body is left open, so that whoever sends it can be answered.
 */
export async function* textLines(body: Readable, maxLength: number): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of body.iterator({ destroyOnReturn: false })) {
    const parts = (rest + decoder.write(chunk as Buffer)).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) yield checked(withoutReturn(part));
    checked(rest);
  }
  rest += decoder.end();
  if (rest !== '') yield checked(withoutReturn(rest));

  function checked(line: string): string {
    if (line.length > maxLength) throw plexusError('PAYLOAD_TOO_LARGE', { message: `A line is longer than ${maxLength} characters.` });
    return line;
  }
}

const withoutReturn = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);
