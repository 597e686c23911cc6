import { plexusError } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';

/** Members of one group. More gain nothing, and a group that fails costs more. */
const MOST_TOGETHER = 64;
/** Characters of one group, unless its first member alone has more. */
const MOST_CHARACTERS = 262_144;
/** Members that may wait for one session; more are refused. */
const MOST_WAITING = 1_024;

interface Waiting<T, R> {
  readonly member: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/** What has a turn of its own. Never rejects. */
type Turn = () => Promise<void>;

/**
 * Does in one transaction what would have to wait for the same session's lock anyway: nobody waits for company, but whoever comes while a
 * transaction of the session is under way shares the next one, in the order of arrival.
 */
export class SessionGroups<T, R> {
  readonly #sessions = new Map<string, (Waiting<T, R> | Turn)[]>();
  readonly #execute: (session: string, members: readonly T[]) => Promise<readonly (() => R)[]>;
  readonly #sizeOf: (member: T) => number;

  /**
   * `sizeOf` says how many characters a member has. `execute` does everything for a group, or fails for all of it; what it returns for each member yields its result or throws its error. A group
   * that fails for a reason that may be one member's alone is done again one by one.
   */
  constructor(sizeOf: (member: T) => number, execute: (session: string, members: readonly T[]) => Promise<readonly (() => R)[]>) {
    this.#sizeOf = sizeOf;
    this.#execute = execute;
  }

  /** Resolves once the transaction that holds the member has committed. */
  add(session: string, member: T): Promise<R> {
    return new Promise((resolve, reject) => this.#enqueue(session, { member, resolve, reject }, reject));
  }

  /** Does something else with the session in the same order: after all that came before, and before all that comes later. */
  alone<W>(session: string, work: () => Promise<W>): Promise<W> {
    return new Promise((resolve, reject) => this.#enqueue(session, () => work().then(resolve, reject), reject));
  }

  #enqueue(session: string, one: Waiting<T, R> | Turn, refuse: (error: unknown) => void): void {
    const waiting = this.#sessions.get(session);
    if (waiting === undefined) {
      const first = [one];
      this.#sessions.set(session, first);
      void this.#run(session, first);
    } else if (waiting.length < MOST_WAITING) waiting.push(one);
    else refuse(plexusError('UNAVAILABLE', { message: 'Too many messages wait for this session; try again.' }));
  }

  /** Never fails: each member gets its result or its error. */
  async #run(session: string, waiting: (Waiting<T, R> | Turn)[]): Promise<void> {
    while (waiting.length > 0) {
      const group = this.#first(waiting);
      if (group.length > 0) await this.#settle(session, group);
      else await (waiting.shift() as Turn)();
    }
    this.#sessions.delete(session);
  }

  /** Takes those that came first and go together; none when it is the turn of something else. */
  #first(waiting: (Waiting<T, R> | Turn)[]): Waiting<T, R>[] {
    const group: Waiting<T, R>[] = [];
    let characters = 0;
    for (const one of waiting.slice(0, MOST_TOGETHER)) {
      if (typeof one === 'function') break;
      characters += this.#sizeOf(one.member);
      if (group.length > 0 && characters > MOST_CHARACTERS) break;
      group.push(one);
    }
    waiting.splice(0, group.length);
    return group;
  }

  async #settle(session: string, group: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.#execute(
        session,
        group.map(({ member }) => member),
      );
      for (const [index, { resolve, reject }] of group.entries()) {
        try {
          resolve((results[index] as () => R)());
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      // What is not about a member (the database is away, there is no such session) is true for all of them.
      if (group.length === 1 || PlexusError.isPlexusError(error)) for (const { reject } of group) reject(error);
      else for (const one of group) await this.#settle(session, [one]);
    }
  }
}
