import type { Engine, LogInput, Outcome, SharedState, UserState } from '../engine/types.js';
import { SEEN_FOR_MS } from '../engine/user-state.js';

const EVERYBODY = '_';

interface Person {
  state: UserState;
  readonly tenant: string;
  readonly user: string;
  /** Event key → when it was first decided: what the table of sightings is for a host. */
  readonly seen: Map<string, number>;
}

/**
 * A host without a world: runs entries of the log through an engine, in memory. For replays and the tests of policies. Timers need not be in the
 * log: whoever wants to see what falls due after the last entry asks for it with `settle`.
 */
export class LogRun {
  readonly #shared = new Map<string, SharedState>();
  readonly #people = new Map<string, Person>();
  #lastSeq = 0;

  /** `epochOf` names the inbox of a user: what a delivery is called follows from it. */
  constructor(
    private readonly engine: Engine,
    private readonly epochOf: (tenant: string, user: string) => string = () => 'replay',
  ) {}

  /** Decides one entry. What concerns everybody of a tenant is folded, and decides nothing by itself. */
  feed(input: LogInput): Outcome | undefined {
    this.#lastSeq = Math.max(this.#lastSeq, input.seq);
    const shared = this.sharedOf(input.tenant);
    if (input.user === EVERYBODY) {
      this.#shared.set(input.tenant, this.engine.foldShared(shared, input));
      return undefined;
    }
    const person = this.#personOf(input.tenant, input.user);
    const outcome = this.engine.reduce(person.state, input, shared, {
      seen: input.kind === 'candidate' && this.#sight(person, input.data.event.key, input.at),
    });
    person.state = outcome.state;
    return outcome;
  }

  /** Everything of everybody that falls due up to a moment, user by user in the order in which they first appeared. */
  settle(until: number): Outcome[] {
    return [...this.#people.values()].flatMap(({ tenant, user }) => {
      const outcome = this.feed({ kind: 'timer', id: `settle:${until}`, tenant, user, seq: this.#lastSeq, at: until, data: { timerId: 'wake', dueAt: until } });
      return outcome === undefined ? [] : [outcome];
    });
  }

  sharedOf(tenant: string): SharedState {
    return this.#shared.get(tenant) ?? this.engine.emptyShared();
  }

  /** What is known of a user, or undefined before the first entry. */
  stateOf(tenant: string, user: string): UserState | undefined {
    return this.#people.get(nameOf(tenant, user))?.state;
  }

  /** Goes on from another state, as a host does that read it from its database. */
  restore(tenant: string, user: string, state: UserState): void {
    this.#personOf(tenant, user).state = state;
  }

  /** Puts a policy or another beginning in place of what the log says of a tenant. */
  restoreShared(tenant: string, shared: SharedState): void {
    this.#shared.set(tenant, shared);
  }

  #personOf(tenant: string, user: string): Person {
    const name = nameOf(tenant, user);
    const known = this.#people.get(name);
    if (known !== undefined) return known;
    const person: Person = { tenant, user, state: this.engine.emptyUser(this.epochOf(tenant, user)), seen: new Map() };
    this.#people.set(name, person);
    return person;
  }

  #sight({ seen }: Person, key: string, at: number): boolean {
    const first = seen.get(key);
    if (first !== undefined && first > at - SEEN_FOR_MS) return true;
    seen.delete(key);
    seen.set(key, at);
    const [oldest] = seen;
    if (oldest !== undefined && oldest[1] <= at - SEEN_FOR_MS) seen.delete(oldest[0]);
    return false;
  }
}

function nameOf(tenant: string, user: string): string {
  return JSON.stringify([tenant, user]);
}
