import { describeSend, type InboxItem } from '../domain/inbox-item.js';
import type { Engine, LogInput, Outcome, SharedState, UserState } from '../domain/engine/types.js';
import type { CommitResult, DecidedBatch, DecidingStore, MadeItem, PartitionInputs, StoredUser, TimerChange, UserRef } from './deciding-ports.js';
import { RememberedStates } from './remembered-states.js';

const EVERYBODY = '_';
/** Repeats come in company (a redelivery after a crash, a publisher that repeats itself): after one that was refused, this many batches look before they decide. */
const LOOKUPS_AFTER_REPEAT = 64;

/** What a committed batch did, for hints and counters. */
export interface BatchResult {
  readonly result: CommitResult;
  readonly items: readonly MadeItem[];
  readonly decisions: DecidedBatch['decisions'];
  readonly edits: DecidedBatch['edits'];
  /** Deliveries over channels that wait in the outbox. */
  readonly commands: number;
  /** When the earliest timer that was set falls due; for the poller. */
  readonly earliestTimer: number | undefined;
}

export interface DecideBatchOptions {
  readonly engine: Engine;
  readonly store: DecidingStore;
  readonly remembered: RememberedStates;
  newEpoch(): string;
  /** The engine threw on this input: a fault of ours, not the input's. It is recorded and passed over, because everything behind it would wait for ever. */
  onFault(input: LogInput, error: unknown): void;
}

/**
 * From inputs of partitions of ours to what they change, in one transaction: either all of it is there and the cursors have moved, or nothing.
 *
 * An event that a user's state does not know is taken to be new without asking; the table of sightings refuses the batch when it is not, and only then
 * is it looked up.
 */
export class DecideBatch {
  /** So many batches more look for repeats before they decide. */
  #lookups = 0;

  constructor(private readonly options: DecideBatchOptions) {}

  async execute(work: readonly PartitionInputs[]): Promise<BatchResult> {
    const looking = this.#lookups > 0;
    if (looking) this.#lookups -= 1;
    const result = await this.#attempt(work, looking);
    if (result.result.kind !== 'seen') return result;
    this.#lookups = LOOKUPS_AFTER_REPEAT;
    return this.#attempt(work, true);
  }

  async #attempt(work: readonly PartitionInputs[], lookForRepeats: boolean): Promise<BatchResult> {
    const { store, remembered } = this.options;
    const known = await this.#load(work, lookForRepeats);
    const run = new Run(this.options.engine, known, this.options.onFault);
    for (const { partition, inputs } of work) for (const input of inputs) run.take(partition.part, input);
    const batch = await this.#complete(run, work);
    const result = await store.commit(batch);
    if (result.kind === 'committed') this.#keep(batch, known);
    else if (result.kind !== 'seen') for (const { partition } of work) remembered.forget(partition.part);
    return { result, items: batch.items, decisions: batch.decisions, edits: batch.edits, commands: batch.channels.length, earliestTimer: run.earliestTimer };
  }

  #keep({ users }: DecidedBatch, { tenants, shared }: Known): void {
    this.options.remembered.keep(
      users.map(({ part, tenant, user, before, state }) => ({
        part,
        tenant,
        user,
        stored: { rev: before.rev + 1, state, epoch: state.epoch, head: state.head },
      })),
      // Also what was only read, and that there is nothing: nobody else writes it while the fence holds.
      [...tenants].map(([key, of]) => ({ ...of, state: shared.get(key) as SharedState })),
    );
  }

  /** One query each for what is not remembered: states, what holds for everybody, and which events were seen before. */
  async #load(work: readonly PartitionInputs[], lookForRepeats: boolean): Promise<Known> {
    const { store, remembered, newEpoch, engine } = this.options;
    const users = new Map<string, UserRef & { part: number }>();
    const tenants = new Map<string, { part: number; tenant: string }>();
    const events = new Map<string, UserRef & { eventKey: string }>();
    for (const { partition, inputs } of work) {
      for (const { tenant, user, ...input } of inputs) {
        tenants.set(sharedKey(partition.part, tenant), { part: partition.part, tenant });
        if (user === EVERYBODY) continue;
        users.set(userKey(tenant, user), { tenant, user, part: partition.part });
        if (lookForRepeats && input.kind === 'candidate')
          events.set(eventOf(tenant, user, input.data.event.key), { tenant, user, eventKey: input.data.event.key });
      }
    }
    const known: Known = { users: new Map(), tenants, shared: new Map(), seen: new Set() };
    const missing = [...users].filter(([key, ref]) => !takeKnown(known.users, key, remembered.user(ref.part, ref.tenant, ref.user)));
    const missingShared = [...tenants].filter(([key, { part, tenant }]) => !takeKnown(known.shared, key, remembered.shared(part, tenant)));
    const asked = [...events];
    const [loaded, shared, seen] = await Promise.all([
      missing.length === 0
        ? []
        : store.loadUsers(
            missing.map(([, ref]) => ref),
            newEpoch,
          ),
      missingShared.length === 0 ? [] : store.loadShared(missingShared.map(([, wanted]) => wanted)),
      asked.length === 0 ? [] : store.seen(asked.map(([, wanted]) => wanted)),
    ]);
    for (const [index, [key]] of missing.entries()) known.users.set(key, loaded[index] as StoredUser);
    for (const [index, [key]] of missingShared.entries()) known.shared.set(key, shared[index] ?? engine.emptyShared());
    for (const [index, [key]] of asked.entries()) if (seen[index] === true) known.seen.add(key);
    return known;
  }

  /** Adds the items that further channels speak of and that are older than this batch. */
  async #complete(run: Run, work: readonly PartitionInputs[]): Promise<DecidedBatch> {
    const here = new Map(run.items.map(({ item }) => [item.id, item]));
    const older = run.channels
      .filter(({ channel }) => !here.has(channel.deliveryId))
      .map(({ channel, ...ref }) => ({ ...ref, deliveryId: channel.deliveryId }));
    const stored = older.length === 0 ? new Map<string, InboxItem>() : await this.options.store.loadItems(older);
    const channels = run.channels.flatMap((one) => {
      const item = here.get(one.channel.deliveryId) ?? stored.get(one.channel.deliveryId);
      // Gone from the inbox: there is nothing left to send.
      return item === undefined ? [] : [{ ...one, item }];
    });
    return { ...run.batch(), channels, cursors: work.map(({ partition, next }) => ({ partition, next })) };
  }
}

interface Known {
  readonly users: Map<string, StoredUser>;
  readonly tenants: ReadonlyMap<string, { readonly part: number; readonly tenant: string }>;
  readonly shared: Map<string, SharedState>;
  readonly seen: Set<string>;
}

/** One pass of the engine over a batch. */
class Run {
  readonly items: MadeItem[] = [];
  readonly channels: (UserRef & { readonly channel: Outcome['channels'][number] })[] = [];
  earliestTimer: number | undefined;
  private readonly decisions: DecidedBatch['decisions'][number][] = [];
  private readonly edits: DecidedBatch['edits'][number][] = [];
  private readonly seen: DecidedBatch['seen'][number][] = [];
  private readonly timers = new Map<string, TimerChange>();
  private readonly states = new Map<string, UserRef & { readonly part: number; readonly before: StoredUser; state: UserState }>();
  private readonly changedShared = new Map<string, { readonly part: number; readonly tenant: string; state: SharedState }>();

  constructor(
    private readonly engine: Engine,
    private readonly known: Known,
    private readonly onFault: (input: LogInput, error: unknown) => void,
  ) {}

  take(part: number, input: LogInput): void {
    try {
      if (input.user === EVERYBODY) this.fold(part, input);
      else this.decide(part, input);
    } catch (error) {
      this.onFault(input, error);
    }
  }

  batch(): Omit<DecidedBatch, 'cursors' | 'channels'> {
    return {
      users: [...this.states.values()],
      shared: [...this.changedShared.values()],
      seen: this.seen,
      decisions: this.decisions,
      items: this.items,
      edits: this.edits,
      timers: [...this.timers.values()],
    };
  }

  private fold(part: number, input: LogInput): void {
    const key = sharedKey(part, input.tenant);
    const state = this.engine.foldShared(this.sharedOf(key), input);
    this.known.shared.set(key, state);
    this.changedShared.set(key, { part, tenant: input.tenant, state });
  }

  private decide(part: number, input: LogInput): void {
    const { tenant, user } = input;
    const key = userKey(tenant, user);
    const before = this.states.get(key)?.before ?? (this.known.users.get(key) as StoredUser);
    const state = this.states.get(key)?.state ?? this.stateOf(before);
    const repeated = this.wasSeen(input);
    const outcome = this.engine.reduce(state, input, this.sharedOf(sharedKey(part, tenant)), { seen: repeated });
    if (!repeated) this.sight(input, outcome);
    this.states.set(key, { tenant, user, part, before, state: outcome.state });
    this.collect(part, input, outcome);
  }

  /** Whether the user has seen the event before; the table of sightings knows more than a state has room for. */
  private wasSeen({ kind, tenant, user, data }: LogInput): boolean {
    return kind === 'candidate' && this.known.seen.has(eventOf(tenant, user, data.event.key));
  }

  /** Keeps that the user has seen the event, unless his state knew it. */
  private sight(input: LogInput, { decisions }: Outcome): void {
    if (input.kind !== 'candidate') return;
    const { tenant, user, seq, at } = input;
    const eventKey = input.data.event.key;
    this.known.seen.add(eventOf(tenant, user, eventKey));
    if (decisions.some(({ inputSeq, reason }) => inputSeq === seq && reason === 'duplicate_event')) return;
    this.seen.push({ tenant, user, eventKey, inputSeq: seq, at });
  }

  private collect(part: number, input: LogInput, { decisions, sends, edits, channels, timers }: Outcome): void {
    const ref = { tenant: input.tenant, user: input.user };
    for (const decision of decisions) this.decisions.push({ ...ref, decision });
    for (const send of sends) {
      this.items.push({ ...ref, item: describeSend(send), send });
      for (const channel of send.channels) {
        this.channels.push({
          ...ref,
          channel: { deliveryId: send.deliveryId, channel, level: send.escalates?.level ?? 0, priority: send.priority, at: send.at },
        });
      }
    }
    for (const edit of edits) this.edits.push({ ...ref, edit });
    for (const channel of channels) this.channels.push({ ...ref, channel });
    if (input.kind === 'timer') this.changeTimer({ ...ref, part, timerId: input.data.timerId, dueAt: input.data.dueAt, change: 'consumed' });
    for (const timerId of timers.cancel) this.changeTimer({ ...ref, part, timerId, dueAt: 0, change: 'cancel' });
    for (const { timerId, dueAt } of timers.set) this.changeTimer({ ...ref, part, timerId, dueAt, change: 'set' });
  }

  private changeTimer(change: TimerChange): void {
    const key = `${userKey(change.tenant, change.user)}\n${change.timerId}`;
    const earlier = this.timers.get(key);
    // It was set to another moment after this one had been sent: that moment still comes.
    if (change.change === 'consumed' && earlier?.change === 'set' && earlier.dueAt !== change.dueAt) return;
    this.timers.set(key, change.change === 'consumed' && earlier !== undefined ? { ...change, change: 'cancel' } : change);
    if (change.change === 'set') this.earliestTimer = Math.min(this.earliestTimer ?? Number.POSITIVE_INFINITY, change.dueAt);
  }

  /** The head of the inbox is the truth about its offsets: inboxes from before there were states go on where they are. */
  private stateOf({ state, epoch, head }: StoredUser): UserState {
    if (state !== undefined && state.epoch === epoch && state.head === head) return state;
    return { ...(state ?? this.engine.emptyUser(epoch)), epoch, head };
  }

  private sharedOf(key: string): SharedState {
    return this.known.shared.get(key) ?? this.engine.emptyShared();
  }
}

function takeKnown<T>(into: Map<string, T>, key: string, value: T | undefined): boolean {
  if (value === undefined) return false;
  into.set(key, value);
  return true;
}

function userKey(tenant: string, user: string): string {
  return `${tenant}\n${user}`;
}

function sharedKey(part: number, tenant: string): string {
  return `${part}\n${tenant}`;
}

function eventOf(tenant: string, user: string, eventKey: string): string {
  return `${userKey(tenant, user)}\n${eventKey}`;
}
