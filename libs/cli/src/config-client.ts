import { diffPatch, loadConfigFile } from '@plexus/agent-config';
import { CommandFailure, EXIT } from './exit-code.js';
import { gatewayAccess, type MeshOptions } from './mesh.js';

/** One thing that is wrong with a document. */
export interface Problem {
  readonly path: string;
  readonly code: string;
  readonly message: string;
  readonly value?: unknown;
  readonly fix?: string;
}

export interface CurrentConfig {
  readonly revision: number;
  readonly hash: string;
  readonly exists: boolean;
  readonly text: string;
  readonly etag: string;
  readonly at?: string;
  readonly by?: string;
}

export interface Written {
  readonly revision: number;
  readonly hash: string;
  readonly changed: boolean;
  readonly changedPaths: readonly string[];
  readonly warnings: readonly Problem[];
}

/** One changed path with what stood and what stands there. */
export interface Difference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export type Document = Record<string, unknown>;

const TIMEOUT_MS = 30_000;
/** A patch travels in one message. Above this size the whole document is sent instead, which may go in parts. */
const MAX_PATCH_BYTES = 256 * 1024;
/** Others may write at the same time: the change is made anew on what they left. */
const RACES = 5;

/** `/v1/config` of the running mesh, or of the gateway that the options name. */
export class ConfigClient {
  private readonly access;

  constructor(options: MeshOptions) {
    this.access = gatewayAccess(options);
  }

  async get(revision?: number): Promise<CurrentConfig> {
    const { body, etag } = await this.call<Omit<CurrentConfig, 'etag'>>('GET', revision === undefined ? '' : `?revision=${revision}`);
    return { ...body, etag };
  }

  /** Replaces the document by a JSON5 text. `etag`: what it is based on, `*` for whatever is there. */
  async apply(text: string, etag: string, comment?: string): Promise<Written> {
    const { body } = await this.call<Written>('PUT', commentQuery(comment), { text }, { 'if-match': etag });
    return body;
  }

  private async patch(patch: unknown, etag: string, comment?: string): Promise<Written> {
    return (await this.call<Written>('PATCH', commentQuery(comment), { json: patch }, { 'if-match': etag })).body;
  }

  /** Reads, changes, and writes what differs; again when somebody else was faster. An unchanged document is not written. */
  async edit(change: (document: Document) => Document, comment?: string): Promise<Written> {
    for (let race = 1; ; race += 1) {
      const current = await this.get();
      const before = parseDocument(current.text);
      const after = change(structuredClone(before));
      const patch = diffPatch(before, after) as Document;
      if (Object.keys(patch).length === 0) return { revision: current.revision, hash: current.hash, changed: false, changedPaths: [], warnings: [] };
      try {
        const isLarge = Buffer.byteLength(JSON.stringify(patch)) > MAX_PATCH_BYTES;
        return isLarge ? await this.apply(JSON.stringify(after), current.etag, comment) : await this.patch(patch, current.etag, comment);
      } catch (error) {
        if (race >= RACES || !(error instanceof CommandFailure) || error.code !== 'CONFLICT') throw error;
      }
    }
  }

  /** Compares two revisions (the current one by default), or one with a text. */
  async diff(revisions: { readonly from?: number; readonly to?: number }, text?: string): Promise<{ differences: Difference[] }> {
    // A text alone may be as large as a document; together with revisions it has to fit into one body of JSON.
    if (text !== undefined && Object.keys(revisions).length === 0) return this.postText('/diff', text);
    return this.post('/diff', { ...revisions, ...(text !== undefined && { text }) });
  }

  async post<T>(path: string, json: unknown, headers: Record<string, string> = {}): Promise<T> {
    return (await this.call<T>('POST', path, { json }, headers)).body;
  }

  /** Like {@link post}, with a JSON5 text as body. */
  async postText<T>(path: string, text: string): Promise<T> {
    return (await this.call<T>('POST', path, { text })).body;
  }

  async read<T>(path: string): Promise<T> {
    return (await this.call<T>('GET', path)).body;
  }

  private async call<T>(
    method: string,
    path: string,
    content: { readonly json?: unknown; readonly text?: string } = {},
    headers: Record<string, string> = {},
  ): Promise<{ body: T; etag: string }> {
    const { http, token } = this.access;
    const body = content.text ?? (content.json === undefined ? undefined : JSON.stringify(content.json));
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${http}/v1/config${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body !== undefined && { 'content-type': content.text === undefined ? 'application/json' : 'application/json5' }),
          ...headers,
        },
        ...(body !== undefined && { body }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      text = await response.text();
    } catch (cause) {
      throw new CommandFailure(
        `The gateway at ${http} cannot be reached: ${(cause as Error).message}`,
        EXIT.unreachable,
        '`plexus status` shows what runs.',
        'UNREACHABLE',
      );
    }
    if (!response.ok) throw refusal(response.status, text);
    return { body: JSON.parse(text) as T, etag: response.headers.get('etag') ?? '' };
  }
}

/** Reads a JSON5 text. Throws CommandFailure with every issue. */
export function parseDocument(text: string): Document {
  const file = '/document';
  const loaded = loadConfigFile(file, {
    readFile: (name) => {
      if (name === file) return text;
      throw Object.assign(new Error('not here'), { code: 'ENOENT' });
    },
  });
  if (!loaded.ok) throw invalid(loaded.error);
  if (typeof loaded.value.document !== 'object' || loaded.value.document === null || Array.isArray(loaded.value.document)) {
    throw new CommandFailure('A configuration is an object.', EXIT.findings, undefined, 'CONFIG_REJECTED');
  }
  return loaded.value.document as Document;
}

/** A failure that lists every issue: path, what is wrong, what stands there, what to do. */
export function invalid(issues: readonly Problem[], total = issues.length): CommandFailure {
  const more = total > issues.length ? [`  … and ${total - issues.length} more`] : [];
  return new CommandFailure(
    ['The configuration is not valid; nothing was changed:', ...issues.map(problemLine), ...more].join('\n'),
    EXIT.findings,
    undefined,
    'CONFIG_REJECTED',
  );
}

/** One issue as one line of text. */
export function problemLine({ path, message, value, fix }: Problem): string {
  const found = value === undefined ? '' : ` (found ${JSON.stringify(value)})`;
  return `  ${path === '' ? 'document' : path}: ${message}${found}${fix === undefined ? '' : ` → ${fix}`}`;
}

function refusal(status: number, text: string): CommandFailure {
  let problem: { code?: string; detail?: string; issues?: Problem[] } = {};
  try {
    problem = JSON.parse(text) as typeof problem;
  } catch {
    // Something other than the gateway answered: its words are all there is.
    return new CommandFailure(`The gateway answered ${status}: ${text.slice(0, 500)}`, EXIT.failed);
  }
  const { code = 'FAILED', detail = `The gateway answered ${status}.`, issues } = problem;
  if (code === 'CONFIG_REJECTED' && issues !== undefined) return invalid(issues);
  if (status === 503 || status === 504) return new CommandFailure(detail, EXIT.unreachable, '`plexus status` shows what runs.', code);
  return new CommandFailure(detail, EXIT.failed, code === 'CONFLICT' ? 'Read it again (`plexus config get`) and repeat.' : undefined, code);
}

const commentQuery = (comment: string | undefined): string => (comment === undefined ? '' : `?comment=${encodeURIComponent(comment)}`);
