import path from 'node:path';
import { err, ok, type Result } from '@plexus/kernel';
import JSON5 from 'json5';
import { type ConfigIssue, sortIssues } from '../issue.js';
import { configHash } from '../reload/diff-paths.js';
import { redactValue } from '../validate/quote-value.js';
import { type FileAccess, fileErrorCode, nodeFiles } from './file-access.js';
import { isInside } from './inside-folder.js';
import { isForbiddenKey, isPlainObject, mergeIncludes } from './merge.js';
import { brokenReferences, missingReferences, type Variables } from './references.js';

export const MAX_INCLUDE_DEPTH = 10;
export const MAX_FILE_BYTES = 2 * 1024 * 1024;
/** Includes can multiply: ten files that include each other twice are a thousand. */
const MAX_INCLUDES = 1_000;
const MAX_NESTING = 64;
const INCLUDE = '$include';

export interface LoadOptions {
  /** Given: a reference to a variable that is missing or empty is an issue. References stay references either way. */
  readonly env?: Variables;
  /** Instead of the files of this machine: the text at an absolute path; throws where there is none. Paths then have no links. */
  readonly readFile?: (path: string) => string | Uint8Array;
  /** Told the absolute path of every file that is looked for, also of those that are missing or broken. */
  readonly onFile?: (path: string) => void;
}

export interface LoadedConfig {
  /** The document with its includes merged in. References are kept. */
  readonly document: unknown;
  /** Absolute path of every file that took part, the first one first. */
  readonly files: readonly string[];
  readonly hash: string;
}

/**
 * Reads a JSON5 document and merges its `$include`s: one path stands for the file's content, a list is merged in order, and what
 * stands beside an include is merged over it. Included files have to lie in the folder of the document (or below), also after
 * links are resolved. Returns every issue at once; `path` is the place in the document, or the file where there is none.
 */
export function loadConfigFile(file: string, options: LoadOptions = {}): Result<LoadedConfig, ConfigIssue[]> {
  const loader = new Loader(path.resolve(file), options.readFile === undefined ? nodeFiles : textFiles(options.readFile), options.onFile);
  const document = loader.load();
  const issues = loader.issues;
  if (issues.length === 0) issues.push(...brokenReferences(document));
  if (options.env !== undefined && issues.length === 0) issues.push(...missingReferences(document, withOwnVariables(document, options.env)));
  return issues.length > 0 ? err(sortIssues(issues)) : ok({ document, files: [...loader.files], hash: configHash(document) });
}

class Loader {
  readonly issues: ConfigIssue[] = [];
  readonly files = new Set<string>();
  private readonly folder: string;
  private realFolder = '';
  private includes = 0;

  constructor(
    private readonly first: string,
    private readonly access: FileAccess,
    private readonly onFile: (path: string) => void = () => undefined,
  ) {
    this.folder = path.dirname(first);
  }

  load(): unknown {
    try {
      this.realFolder = this.access.realPath(this.folder);
    } catch (error) {
      this.report('', 'unreadable_file', `${this.first} cannot be read (${fileErrorCode(error)})`);
      return undefined;
    }
    return this.read(this.first, '', []);
  }

  /** The content of one file with its includes; undefined after an issue. `chain` holds the files that led here. */
  private read(file: string, at: string, chain: readonly string[]): unknown {
    let real: string;
    let text: Uint8Array;
    this.onFile(file);
    try {
      real = this.access.realPath(file);
      if (chain.length > 0 && !isInside(this.realFolder, real))
        return this.report(at, 'include_outside', 'a link leads out of the folder of the configuration', file);
      if (chain.includes(real))
        return this.report(
          at,
          'include_cycle',
          `includes itself: ${[...chain.slice(chain.indexOf(real)), real].map((name) => path.basename(name)).join(' → ')}`,
          file,
        );
      const { facts, bytes } = this.access.read(real, MAX_FILE_BYTES);
      if (!facts.isFile) return this.report(at, 'not_a_file', `${file} is not a regular file`, file);
      if (bytes.length > MAX_FILE_BYTES) return this.report(at, 'file_too_large', `${file} has more than ${MAX_FILE_BYTES} bytes`, file);
      text = bytes;
    } catch (error) {
      return this.report(at, 'unreadable_file', `${file} cannot be read (${fileErrorCode(error)})`, file);
    }
    this.files.add(file);
    const parsed = this.parse(file, at, text);
    return parsed === undefined ? undefined : this.expand(parsed.value, at, file, [...chain, real]);
  }

  private parse(file: string, at: string, bytes: Uint8Array): { value: unknown } | undefined {
    try {
      const value: unknown = JSON5.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
      const problem = shapeProblem(value);
      if (problem === undefined) return { value };
      this.report(joinPath(at, problem.path), problem.code, `${problem.message} (in ${file})`, problem.value);
    } catch (error) {
      const [, found = '', position] = (error instanceof SyntaxError && /^JSON5: (.*) (at \d+:\d+)$/s.exec(error.message)) || [];
      if (position === undefined) return this.report(at, 'syntax', `${file} is no JSON5 text in UTF-8`);
      const value = found === 'invalid end of input' ? 'end of the text' : (/^invalid character '(.*)'$/s.exec(found)?.[1] ?? found);
      this.report(at, 'syntax', `${file} stops being JSON5 ${position}`, value);
    }
    return undefined;
  }

  /** Replaces includes, innermost last, because an included file may include others. */
  private expand(value: unknown, at: string, file: string, chain: readonly string[]): unknown {
    if (Array.isArray(value)) return value.map((inner, index) => this.expand(inner, joinPath(at, String(index)), file, chain));
    if (!isPlainObject(value)) return value;
    const own = Object.fromEntries(
      Object.entries(value).flatMap(([key, inner]) => (key === INCLUDE ? [] : [[key, this.expand(inner, joinPath(at, key), file, chain)]])),
    );
    if (!Object.hasOwn(value, INCLUDE)) return own;
    const included = this.include(value[INCLUDE], joinPath(at, INCLUDE), file, chain);
    if (Object.keys(own).length === 0) return included;
    if (included !== undefined && !isPlainObject(included))
      return this.report(joinPath(at, INCLUDE), 'include_not_object', 'settings beside an include can only be merged over an object');
    return mergeIncludes(included ?? {}, own);
  }

  private include(wanted: unknown, at: string, file: string, chain: readonly string[]): unknown {
    const names = Array.isArray(wanted) ? wanted : [wanted];
    if (names.length === 0) return {};
    const parts = names.map((name, index) => this.includeOne(name, Array.isArray(wanted) ? joinPath(at, String(index)) : at, file, chain));
    return parts.reduce((merged, part) => mergeIncludes(merged, part));
  }

  private includeOne(name: unknown, at: string, file: string, chain: readonly string[]): unknown {
    if (typeof name !== 'string' || name.trim() === '' || name.includes('\0')) return this.report(at, 'bad_include', 'must be a path, or a list of paths');
    if (chain.length > MAX_INCLUDE_DEPTH) return this.report(at, 'include_too_deep', `includes are nested deeper than ${MAX_INCLUDE_DEPTH} files`, name);
    this.includes += 1;
    if (this.includes > MAX_INCLUDES)
      return this.includes === MAX_INCLUDES + 1 ? this.report(at, 'too_many_includes', `more than ${MAX_INCLUDES} files are included`) : undefined;
    const target = path.resolve(path.dirname(file), name);
    if (!isInside(this.folder, target)) return this.report(at, 'include_outside', 'leads out of the folder of the configuration', name);
    // Where an included file stands in the document is where its content goes.
    return this.read(target, at.replace(/\.?\$include(\.\d+)?$/, ''), chain);
  }

  private report(at: string, code: string, message: string, value?: unknown): undefined {
    const fix = FIXES[code];
    this.issues.push({ path: at, code, message, ...(value !== undefined && { value }), ...(fix !== undefined && { fix }) });
  }
}

const FIXES: Readonly<Record<string, string>> = {
  include_outside: 'put the file into the folder of the configuration, or below it',
  include_cycle: 'leave out one of the includes',
  forbidden_key: 'use another name',
  file_too_large: 'split the file with $include',
  syntax: 'correct the text there: most often a quote, comma or bracket is missing',
  not_json: 'write a finite number, or a text in quotes',
  too_deep: `nest at most ${MAX_NESTING} levels`,
  unreadable_file: 'create the file, or correct its name or permissions',
  not_a_file: 'name a regular file',
  bad_include: 'write a path in quotes, or a list of such paths',
  include_too_deep: 'include the file from one that is less deep',
  too_many_includes: 'join small files into larger ones',
  include_not_object: 'include an object there, or remove the settings beside the include',
};

/** JSON5 knows numbers that JSON does not, and nesting without end would exhaust every reader. */
function shapeProblem(root: unknown): { path: string; code: string; message: string; value: unknown } | undefined {
  let level = [{ value: root, path: '' }];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_NESTING) return { path: '', code: 'too_deep', message: `nested deeper than ${MAX_NESTING} levels`, value: redactValue(root) };
    const below: typeof level = [];
    for (const { value, path: at } of level) {
      if (typeof value === 'number' && !Number.isFinite(value))
        return { path: at, code: 'not_json', message: 'Infinity and NaN cannot be stored', value: String(value) };
      if (typeof value !== 'object' || value === null) continue;
      for (const key of Object.keys(value)) {
        if (isForbiddenKey(key)) return { path: joinPath(at, key), code: 'forbidden_key', message: `the key ${key} is not accepted`, value: key };
        below.push({ value: (value as Record<string, unknown>)[key], path: joinPath(at, key) });
      }
    }
    level = below;
  }
  return undefined;
}

function withOwnVariables(document: unknown, env: Variables): Variables {
  const own = isPlainObject(document) && isPlainObject(document.env) ? document.env : {};
  const texts = Object.entries(own).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  const present = Object.entries(env).filter(([, value]) => value !== undefined && value !== '');
  return Object.fromEntries([...texts, ...present]);
}

function textFiles(readFile: (path: string) => string | Uint8Array): FileAccess {
  return {
    realPath: (file) => file,
    read: (file) => {
      const content = readFile(file);
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
      return { facts: { isFile: true, size: bytes.length, identity: file }, bytes };
    },
  };
}

function joinPath(at: string, key: string): string {
  if (key === '') return at;
  return at === '' ? key : `${at}.${key}`;
}
