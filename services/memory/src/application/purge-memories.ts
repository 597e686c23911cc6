import { timingSafeEqual } from 'node:crypto';
import type { memoryArchiveContracts } from '@plexus/contracts';
import { type Clock, stableStringify } from '@plexus/kernel';
import type { Caller, Scope } from '../domain/access.js';
import type { Extent, MemoryPurger, PurgeCounts, WaitingWrites } from './archive-ports.js';
import { requireRemovable, type Whose } from './extent.js';
import { macOf } from './macs.js';
import type { TenantKeys } from './ports.js';

export type PurgeReceipt = memoryArchiveContracts.PurgeReceipt;

/** So many memories go in one transaction: what is killed half-way goes on with the rest when it is asked for again. */
const BATCH = 500;

/** Removes everything of a user or a scope for good, and says so in a receipt that can be checked later. */
export class PurgeMemories {
  constructor(
    private readonly purger: MemoryPurger,
    private readonly waiting: WaitingWrites,
    private readonly keys: TenantKeys,
    private readonly clock: Clock,
    private readonly newId: () => string,
  ) {}

  /** Fails with FORBIDDEN for somebody else's. When it fails half-way, calling it again removes the rest. */
  async execute(caller: Caller, whose: Whose): Promise<PurgeReceipt> {
    const { tenant } = caller;
    const extent = requireRemovable(caller, whose);
    const key = await this.keys.macKey(tenant);
    const at = new Date(this.clock.now());
    let counts: PurgeCounts = { memories: 0, waitingWrites: 0 };
    const scopes = new Map<string, Waiting>();
    for (const one of ownScopes(extent)) scopes.set(nameOf(one.scope), one);
    // What memories are made of goes first, or they would be made anew right behind the purge.
    counts = added(counts, { waitingWrites: await this.#purgeWaiting(tenant, scopes) });
    counts = added(counts, await this.purger.sources(tenant, extent));
    for (let removed = BATCH; removed >= BATCH; ) {
      const batch = await this.purger.memories(tenant, extent, at, BATCH);
      removed = batch.removed;
      counts = added(counts, batch.counts);
      for (const scope of batch.scopes) if (!scopes.has(nameOf(scope))) scopes.set(nameOf(scope), { scope, ...authorOf(extent) });
    }
    // And again, with the scopes that were found: a write that was carried out but not confirmed would be carried out once more.
    counts = added(counts, { waitingWrites: await this.#purgeWaiting(tenant, scopes) });
    counts = added(counts, await this.purger.caches(tenant));
    const receipt = { id: this.newId(), tenant, subject: subjectOf(key, extent), at: at.toISOString(), counts: { ...counts } };
    return { ...receipt, signature: signatureOf(key, receipt) };
  }

  /** Whether a receipt was made here and, when one is named, whether it is about that user or scope. */
  async check(caller: Caller, receipt: PurgeReceipt, whose: Whose): Promise<{ readonly genuine: boolean; readonly matches?: boolean }> {
    const key = await this.keys.macKey(caller.tenant);
    const { signature, ...rest } = receipt;
    const [given, expected] = [Buffer.from(signature), Buffer.from(signatureOf(key, rest))];
    const genuine = rest.tenant === caller.tenant && given.length === expected.length && timingSafeEqual(given, expected);
    if (whose.user === undefined && whose.scope === undefined) return { genuine };
    const named: Extent = whose.scope === undefined ? { user: whose.user ?? '' } : { scope: whose.scope };
    return { genuine, matches: genuine && subjectOf(key, named) === rest.subject };
  }

  async #purgeWaiting(tenant: string, scopes: ReadonlyMap<string, Waiting>): Promise<number> {
    let purged = 0;
    for (const { scope, user } of scopes.values()) purged += await this.waiting.purge(tenant, scope, user);
    return purged;
  }
}

/** Where writes wait; with `user` only those of that user. */
interface Waiting {
  readonly scope: Scope;
  readonly user?: string;
}

function ownScopes(extent: Extent): Waiting[] {
  return 'user' in extent ? [{ scope: { kind: 'user', id: extent.user } }] : [{ scope: extent.scope, ...authorOf(extent) }];
}

/** Two users may have sessions of the same name, and many write for all: what others have under way there is theirs. */
function authorOf(extent: Extent): { readonly user?: string } {
  const user = 'user' in extent ? extent.user : extent.scope.owner;
  return user === undefined ? {} : { user };
}

function nameOf({ kind, id }: Scope): string {
  return `${kind}:${id}`;
}

function subjectOf(key: Uint8Array, extent: Extent): string {
  const what = 'user' in extent ? ['user', extent.user] : ['scope', extent.scope.kind, extent.scope.id];
  return Buffer.from(macOf(key, JSON.stringify(['purged', ...what]))).toString('base64url');
}

function signatureOf(key: Uint8Array, receipt: Omit<PurgeReceipt, 'signature'>): string {
  return Buffer.from(macOf(key, `receipt\n${stableStringify(receipt)}`)).toString('base64url');
}

function added(a: PurgeCounts, b: PurgeCounts): PurgeCounts {
  const sum: Record<string, number> = { ...a };
  for (const [name, count] of Object.entries(b)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
