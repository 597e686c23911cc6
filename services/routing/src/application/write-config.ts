import { createHash } from 'node:crypto';
import { type configContracts, plexusError } from '@plexus/contracts';
import type { AnnounceConfig, ConfigRules, ConfigStore, StoredConfig, WriteRecord } from './config-ports.js';

/** Whoever writes, and what the write is based on. */
export interface WriteOrder {
  readonly tenant: string;
  readonly by: string;
  readonly credentialId: string;
  readonly comment?: string | undefined;
  readonly baseHash?: string | undefined;
  readonly baseRevision?: number | undefined;
}

export interface Written {
  readonly revision: number;
  readonly hash: string;
  readonly changed: boolean;
  readonly changedPaths: string[];
  readonly warnings: configContracts.ConfigProblem[];
}

type Content = { readonly document: unknown; readonly text: string };

/** Writers of one tenant that wait behind each other in one replica. */
const MAX_WAITING = 32;
/** Attempts of a write that may replace whatever is there. */
const MAX_RACES = 10;
const MAX_ISSUES = 100;
const MAX_PATHS = 500;

/**
 * Writes configurations: validated first, then by compare-and-set on the revision that the validation saw. One write of a tenant at a
 * time in this replica; between replicas the bucket decides. An invalid document never gets as far as the bucket.
 */
export class WriteConfig {
  readonly #store: ConfigStore;
  readonly #rules: ConfigRules;
  readonly #announce: AnnounceConfig;
  readonly #turns = new Map<string, { tail: Promise<unknown>; waiting: number }>();

  constructor(store: ConfigStore, rules: ConfigRules, announce: AnnounceConfig) {
    this.#store = store;
    this.#rules = rules;
    this.#announce = announce;
  }

  /** Replaces the document. Without a base, `force` must say that whatever is there may go. */
  apply(order: WriteOrder, text: string, force: boolean): Promise<Written> {
    if (!force && order.baseHash === undefined && order.baseRevision === undefined) {
      throw plexusError('INVALID_REQUEST', { message: 'Say what this replaces (baseHash or baseRevision), or use force.' });
    }
    return this.#write(order, 'apply', async () => ({ text, document: this.parse(text) }));
  }

  /** Merges a patch into the document that has the base hash. */
  patch(order: WriteOrder & { readonly baseHash: string }, patch: Record<string, unknown>): Promise<Written> {
    return this.#write(order, 'patch', async (current) => {
      if (current?.isLost) {
        throw plexusError('CONFIG_REJECTED', {
          message: `Revision ${current.revision} cannot be read any more: roll back to an earlier one, or apply a whole document.`,
        });
      }
      const document = this.#rules.patch(current?.document ?? {}, patch);
      return { document, text: JSON.stringify(document) };
    });
  }

  /** Writes an earlier revision again, byte for byte. */
  rollback(order: WriteOrder, revision: number): Promise<Written> {
    return this.#write(order, 'rollback', async () => {
      const earlier = await this.#store.at(order.tenant, revision);
      if (earlier === undefined) {
        throw plexusError('NOT_FOUND', { message: `There is no revision ${revision} of this configuration (any more); history lists those that are kept.` });
      }
      const text = typeof earlier.text === 'string' ? earlier.text : await this.#store.load(order.tenant, earlier.text);
      return { document: earlier.document, text };
    });
  }

  /** Reads JSON5. Throws CONFIG_REJECTED. */
  parse(text: string): unknown {
    const parsed = this.#rules.parse(text);
    if (parsed.ok) return parsed.value;
    throw rejected(parsed.error);
  }

  #write(order: WriteOrder, kind: WriteRecord['kind'], make: (current: StoredConfig | undefined) => Promise<Content>): Promise<Written> {
    return this.#inTurn(order.tenant, async () => {
      for (let race = 0; race < MAX_RACES; race += 1) {
        const current = await this.#store.current(order.tenant);
        const hash = current?.hash ?? this.#rules.hash({});
        requireBase(order, current?.revision ?? 0, hash);
        const content = await make(current);
        const written = await this.#attempt(order, kind, current, content);
        if (written !== undefined) return written;
      }
      throw plexusError('CONFLICT', { message: 'Others write this configuration all the time; try again.' });
    });
  }

  async #attempt(order: WriteOrder, kind: WriteRecord['kind'], current: StoredConfig | undefined, { document, text }: Content): Promise<Written | undefined> {
    const { issues, warnings } = this.#rules.validate(document);
    if (issues.length > 0) throw rejected(issues);
    const hash = this.#rules.hash(document);
    const changedPaths = this.#rules.changedPaths(current?.document ?? {}, document).slice(0, MAX_PATHS);
    // The same bytes, or a patch that changes nothing: a revision that says nothing would only push an older one out of the history.
    if (current !== undefined && !current.isLost && current.hash === hash && (kind === 'patch' || isSameText(current.text, text))) {
      return { revision: current.revision, hash, changed: false, changedPaths: [], warnings };
    }
    const { by, credentialId, comment } = order;
    const record: WriteRecord = { kind, by, credentialId, comment, changedPaths };
    const revision = await this.#store.write(order.tenant, { document, text, hash, record }, current?.revision ?? 0);
    if (revision === undefined) return undefined;
    this.#announce(order.tenant, revision, hash, record);
    return { revision, hash, changed: true, changedPaths, warnings };
  }

  async #inTurn<T>(tenant: string, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(tenant) ?? { tail: Promise.resolve(), waiting: 0 };
    if (turn.waiting >= MAX_WAITING) throw plexusError('QUEUE_FULL', { message: 'Too many writes of this configuration wait already.' });
    this.#turns.set(tenant, turn);
    turn.waiting += 1;
    const mine = turn.tail.then(work, work);
    turn.tail = mine.catch(() => undefined); // whoever asked for it gets its failure
    try {
      return await mine;
    } finally {
      turn.waiting -= 1;
      if (turn.waiting === 0) this.#turns.delete(tenant);
    }
  }
}

function isSameText(stored: StoredConfig['text'], text: string): boolean {
  return typeof stored === 'string' ? stored === text : stored.sha256 === createHash('sha256').update(text).digest('hex');
}

function requireBase(order: WriteOrder, revision: number, hash: string): void {
  const moved = (order.baseRevision !== undefined && order.baseRevision !== revision) || (order.baseHash !== undefined && order.baseHash !== hash);
  if (!moved) return;
  throw plexusError('CONFLICT', {
    message: `The configuration has changed meanwhile: it is at revision ${revision}. Read it again and decide anew.`,
    details: { revision, hash },
  });
}

/** Every issue, up to a bound, with how many there are. */
function rejected(issues: readonly configContracts.ConfigProblem[]): Error {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  return plexusError('CONFIG_REJECTED', {
    message: `The configuration is not valid and nothing was changed: ${first?.path || 'document'}: ${first?.message}${more}`,
    details: { issues: issues.slice(0, MAX_ISSUES), total: issues.length },
  });
}
