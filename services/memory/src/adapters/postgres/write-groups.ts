import { errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { NewMemory } from '../../application/ports.js';

/** Memories of one statement. More gain nothing, and a failure costs more. */
const MOST_TOGETHER = 64;
/** Writes of all tenants that may wait; more are refused. */
const MOST_WAITING = 4_096;

interface Waiting<T> {
  readonly memory: NewMemory;
  readonly resolve: (outcome: T) => void;
  readonly reject: (error: unknown) => void;
}

interface Lanes<T> {
  readonly waiting: Waiting<T>[];
  running: number;
}

/**
 * Commits writes of one tenant together that come while others are under way: nobody waits for company, and a commit is shared by those who would
 * have waited for their turn anyway. A group that fails because of one of its members is written one by one.
 */
export class WriteGroups<T> {
  readonly #byTenant = new Map<string, Lanes<T>>();
  readonly #write: (tenant: string, memories: readonly NewMemory[]) => Promise<readonly T[]>;
  readonly #lanes: number;
  #waiting = 0;

  /** `write` gives the outcome of each, or fails as a whole; contents of one group are different. `lanes`: groups of a tenant at a time. */
  constructor(write: (tenant: string, memories: readonly NewMemory[]) => Promise<readonly T[]>, lanes: number) {
    this.#write = write;
    this.#lanes = lanes;
  }

  write(tenant: string, memory: NewMemory): Promise<T> {
    if (this.#waiting >= MOST_WAITING) return Promise.reject(errors.create('UNAVAILABLE', { message: 'Too many memories wait to be written; try again.' }));
    return new Promise((resolve, reject) => {
      const lanes = this.#byTenant.get(tenant) ?? { waiting: [], running: 0 };
      this.#byTenant.set(tenant, lanes);
      lanes.waiting.push({ memory, resolve, reject });
      this.#waiting += 1;
      if (lanes.running < this.#lanes) void this.#run(tenant, lanes);
    });
  }

  async #run(tenant: string, lanes: Lanes<T>): Promise<void> {
    lanes.running += 1;
    while (lanes.waiting.length > 0) {
      const group = nextGroup(lanes.waiting);
      this.#waiting -= group.length;
      await this.#writeGroup(tenant, group);
    }
    lanes.running -= 1;
    if (lanes.running === 0 && lanes.waiting.length === 0) this.#byTenant.delete(tenant);
  }

  /** Never fails: each of the group gets its outcome or its error. */
  async #writeGroup(tenant: string, group: readonly Waiting<T>[]): Promise<void> {
    try {
      const outcomes = await this.#write(
        tenant,
        group.map(({ memory }) => memory),
      );
      for (const [index, { resolve }] of group.entries()) resolve(outcomes[index] as T);
    } catch (error) {
      // What is not about a member (the database is away) is true for all of them.
      if (group.length === 1 || PlexusError.isPlexusError(error)) for (const { reject } of group) reject(error);
      else for (const one of group) await this.#writeGroup(tenant, [one]);
    }
  }
}

/** Those that came first, and of the same content only one: the next one must see it. Takes them out of the queue. */
function nextGroup<T>(waiting: Waiting<T>[]): Waiting<T>[] {
  const group: Waiting<T>[] = [];
  const later: Waiting<T>[] = [];
  const contents = new Set<string>();
  while (group.length < MOST_TOGETHER && waiting.length > 0) {
    const one = waiting.shift() as Waiting<T>;
    const content = Buffer.from(one.memory.contentMac).toString('base64');
    if (contents.has(content)) later.push(one);
    else group.push(one);
    contents.add(content);
  }
  waiting.unshift(...later);
  return group;
}
