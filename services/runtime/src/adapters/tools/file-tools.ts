import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Tool, ToolContext, ToolResult } from '../../application/ports.js';
import { replaceText } from './replace-text.js';
import { problem, readInput } from './tool-input.js';
import { resolveInside } from './workspace-path.js';

const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_LINES = 2_000;
const MAX_CHARS = 48_000;
const MAX_LINE_CHARS = 2_000;
const MAX_ENTRIES = 500;

const Place = z.string().min(1).max(4_096);
const ReadInput = z.object({ path: Place, offset: z.number().int().min(1).default(1), limit: z.number().int().min(1).max(MAX_LINES).default(MAX_LINES) });
const WriteInput = z.object({ path: Place, content: z.string().max(MAX_FILE_BYTES) });
const EditInput = z.object({ path: Place, old_text: z.string().min(1), new_text: z.string(), replace_all: z.boolean().default(false) });
const ListInput = z.object({ path: Place.default('.'), depth: z.number().int().min(1).max(5).default(1) });

const place = (description: string): Record<string, unknown> => ({ type: 'string', description: `${description}, relative to the workspace.` });
const inputOf = (properties: Record<string, unknown>, required: string[]): Record<string, unknown> => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});

/** A tool whose input is read by a schema, and whose failures of the file system are results. */
function fileTool<S extends z.ZodType>(
  about: { readonly name: string; readonly description: string; readonly inputSchema: Record<string, unknown> },
  schema: S,
  act: (input: z.output<S>, context: ToolContext) => Promise<ToolResult>,
): Tool {
  return {
    ...about,
    async run(input, context) {
      const read = readInput(schema, input);
      if (!read.ok) return read.result;
      try {
        return await act(read.value, context);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === undefined) throw error;
        return problem(sayingOf(code));
      }
    },
  };
}

function sayingOf(code: string): string {
  const known: Record<string, string> = {
    ENOENT: 'There is no such file or folder.',
    EISDIR: 'That is a folder, not a file.',
    ENOTDIR: 'A part of the path is a file, not a folder.',
    EACCES: 'Permission denied.',
    ENOSPC: 'The disk is full.',
    ELOOP: 'That is a link; name the file itself.',
  };
  return `${known[code] ?? 'The file system refuses.'} (${code})`;
}

/** Opens a regular file, which is not a link by now, and not a pipe that would block. */
async function readText(target: string): Promise<{ readonly text: string } | { readonly refused: ToolResult }> {
  const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = await file.stat();
    if (about.isDirectory()) return { refused: problem('That is a folder; use list.') };
    if (!about.isFile()) return { refused: problem('That is not a regular file.') };
    if (about.size > MAX_FILE_BYTES)
      return { refused: problem(`The file has ${about.size} bytes, more than the ${MAX_FILE_BYTES} that can be read at once; use exec.`) };
    const bytes = await file.readFile();
    if (bytes.includes(0)) return { refused: problem(`The file is binary (${bytes.length} bytes); use exec to look into it.`) };
    return { text: bytes.toString('utf8') };
  } finally {
    await file.close();
  }
}

async function writeText(target: string, text: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const file = await open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o644);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

const read = fileTool(
  {
    name: 'read',
    description: `Reads a text file, at most ${MAX_LINES} lines from line offset on.`,
    inputSchema: inputOf(
      {
        path: place('The file'),
        offset: { type: 'integer', minimum: 1, description: 'First line, from 1.' },
        limit: { type: 'integer', minimum: 1, maximum: MAX_LINES },
      },
      ['path'],
    ),
  },
  ReadInput,
  async ({ path: given, offset, limit }, { workspace }) => {
    const target = await resolveInside(workspace, given);
    if (!target.ok) return problem(target.reason);
    const found = await readText(target.path);
    return 'refused' in found ? found.refused : { content: linesOf(found.text, offset, limit) };
  },
);

function linesOf(text: string, offset: number, limit: number): string {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) return '(The file is empty.)';
  if (offset > lines.length) return `(The file has only ${lines.length} lines.)`;
  const shown: string[] = [];
  let chars = 0;
  for (const line of lines.slice(offset - 1, offset - 1 + limit)) {
    const cut = line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS)}… (${line.length} characters)` : line;
    chars += cut.length + 1;
    if (chars > MAX_CHARS) break;
    shown.push(cut);
  }
  const next = offset + shown.length;
  const rest = next <= lines.length ? `\n(Lines ${offset}–${next - 1} of ${lines.length}; go on with offset ${next}.)` : '';
  return shown.join('\n') + rest;
}

/** Changes of one file go one after the other: two calls of one step must not overwrite each other's. */
const changing = new Map<string, Promise<unknown>>();

async function alone<T>(target: string, change: () => Promise<T>): Promise<T> {
  const before = changing.get(target) ?? Promise.resolve();
  const mine = before.then(change, change);
  const settled = mine.catch(() => undefined);
  changing.set(target, settled);
  try {
    return await mine;
  } finally {
    if (changing.get(target) === settled) changing.delete(target);
  }
}

const write = fileTool(
  {
    name: 'write',
    description: 'Writes a text file, folders included; what was in it is replaced.',
    inputSchema: inputOf({ path: place('The file'), content: { type: 'string' } }, ['path', 'content']),
  },
  WriteInput,
  async ({ path: given, content }, { workspace }) => {
    const target = await resolveInside(workspace, given);
    if (!target.ok) return problem(target.reason);
    await alone(target.path, () => writeText(target.path, content));
    return { content: `Written: ${Buffer.byteLength(content)} bytes.` };
  },
);

const edit = fileTool(
  {
    name: 'edit',
    description: 'Replaces text in a file. old_text must occur exactly once, unless replace_all is true.',
    inputSchema: inputOf({ path: place('The file'), old_text: { type: 'string' }, new_text: { type: 'string' }, replace_all: { type: 'boolean' } }, [
      'path',
      'old_text',
      'new_text',
    ]),
  },
  EditInput,
  async ({ path: given, old_text: before, new_text: after, replace_all: all }, { workspace }) => {
    const target = await resolveInside(workspace, given);
    if (!target.ok) return problem(target.reason);
    return alone(target.path, async () => {
      const found = await readText(target.path);
      if ('refused' in found) return found.refused;
      const replaced = replaceText(found.text, before, after, all);
      if (!replaced.ok) return problem(replaced.reason);
      await writeText(target.path, replaced.text);
      return { content: `Replaced ${replaced.count} ${replaced.count === 1 ? 'place' : 'places'}.` };
    });
  },
);

const list = fileTool(
  {
    name: 'list',
    description: `Lists a folder, folders with a slash behind their name, at most ${MAX_ENTRIES} entries.`,
    inputSchema: inputOf({ path: place('The folder'), depth: { type: 'integer', minimum: 1, maximum: 5 } }, []),
  },
  ListInput,
  async ({ path: given, depth }, { workspace }) => {
    const target = await resolveInside(workspace, given);
    if (!target.ok) return problem(target.reason);
    const entries: string[] = [];
    await collect(target.path, '', depth, entries);
    if (entries.length === 0) return { content: '(The folder is empty.)' };
    const more = entries.length > MAX_ENTRIES ? '\n(There are more.)' : '';
    return { content: entries.slice(0, MAX_ENTRIES).join('\n') + more };
  },
);

/** Links are named with where they lead and not followed. */
async function collect(folder: string, prefix: string, depth: number, entries: string[]): Promise<void> {
  const found = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const one of found) {
    if (entries.length > MAX_ENTRIES) return;
    const name = prefix + one.name;
    if (one.isDirectory()) {
      entries.push(`${name}/`);
      if (depth > 1) await collect(path.join(folder, one.name), `${name}/`, depth - 1, entries);
    } else if (one.isFile()) entries.push(`${name}  ${(await lstat(path.join(folder, one.name))).size} bytes`);
    else entries.push(`${name}  (${one.isSymbolicLink() ? 'link' : 'special'})`);
  }
}

/** Reading and changing files of the session's workspace. */
export const FILE_TOOLS: readonly Tool[] = [read, write, edit, list];
