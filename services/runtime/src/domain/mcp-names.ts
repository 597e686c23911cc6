import { createHash } from 'node:crypto';

/** Longest name of a function that model providers take. */
const MAX_NAME = 64;

/**
 * Names under which the model sees the tools of a server: `server__tool`, in the characters that every provider takes. One that is too long,
 * or that another tool has already, ends in a hash of its real name; the same tools get the same names every time.
 */
export function mcpToolNames(server: string, tools: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const tool of [...new Set(tools)].sort()) {
    const plain = `${server}__${tool}`.replaceAll(/[^A-Za-z0-9_-]/g, '_');
    const isTaken = plain.length > MAX_NAME || names.has(plain);
    names.set(isTaken ? `${plain.slice(0, MAX_NAME - 9)}_${digest(`${server}/${tool}`)}` : plain, tool);
  }
  return names;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
