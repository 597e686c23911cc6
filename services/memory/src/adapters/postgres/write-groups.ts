import { errors } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import type { NewMemory } from '../../application/ports.js';

/** Memories of one statement. More gain nothing, and a failure costs more. */
const MOST_TOGETHER = 64;
/** Writes of one tenant, and of all, that may wait; more are refused. */
const MOST_OF_TENANT = 1_024;
const MOST_WAITING = 4_096;

interface Waiting<T> {
  readonly memory: NewMemory;
  readonly resolve: (outcome: T) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes memories with different contents in one transaction. Gives the outcome of each, undefined for one that was left out, or fails as a whole.
 */
export type WriteTogether<T> = (tenant: string, memories: readonly NewMemory[]) => Promise<readonly (T | undefined)[]>;

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
  readonly #write: WriteTogether<T>;
  readonly #lanes: number;
  readonly #alone: (tenant: string, memory: NewMemory) => Promise<T>;
  #waiting = 0;

  /** `lanes`: groups of a tenant at a time. `alone` writes what a group could not. */
  constructor(write: WriteTogether<T>, lanes: number, alone: (tenant: string, memory: NewMemory) => Promise<T>) {
    this.#write = write;
    this.#lanes = lanes;
    this.#alone = alone;
  }

  write(tenant: string, memory: NewMemory): Promise<T> {
    const isFull = this.#waiting >= MOST_WAITING || (this.#byTenant.get(tenant)?.waiting.length ?? 0) >= MOST_OF_TENANT;
    if (isFull) return Promise.reject(errors.create('UNAVAILABLE', { message: 'Too many memories wait to be written; try again.' }));
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
    const outcomes = await this.#outcomesOf(tenant, group);
    const left: Waiting<T>[] = [];
    // Those that are committed hear of it before anything else is tried: it may fail.
    for (const [index, one] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) left.push(one);
      else outcome(one);
    }
    for (const one of left) await this.#alone(tenant, one.memory).then(one.resolve, one.reject);
  }

  /** How to tell each what became of it; undefined where it has to be written by itself. */
  async #outcomesOf(tenant: string, group: readonly Waiting<T>[]): Promise<readonly (((one: Waiting<T>) => void) | undefined)[]> {
    try {
      const memories = group.map(({ memory }) => memory);
      const outcomes = await this.#write(tenant, memories);
      return outcomes.map((outcome) => (outcome === undefined ? undefined : (one) => one.resolve(outcome)));
    } catch (error) {
      // What is not about a member (the database is away) is true for all of them.
      const isShared = group.length === 1 || PlexusError.isPlexusError(error);
      return group.map(() => (isShared ? (one) => one.reject(error) : undefined));
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
