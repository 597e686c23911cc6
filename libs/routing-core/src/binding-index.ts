import { type AgentTarget, ANY, type CompiledBinding, type PeerClass } from './binding.js';

/** Where a message was written and by whom, as far as bindings ask. Empty text: unknown. */
export interface Place {
  readonly guildId: string;
  readonly teamId: string;
  readonly roles: readonly string[];
}

/** Below this many candidates a scan beats an index. */
const SCAN_LIMIT = 6;

/** True when everything that a binding asks for beside peer and account holds. */
export function placeHolds(binding: CompiledBinding, place: Place): boolean {
  return (
    (binding.guildId === '' || binding.guildId === place.guildId) &&
    (binding.teamId === '' || binding.teamId === place.teamId) &&
    (binding.roles.length === 0 || binding.roles.some((role) => place.roles.includes(role)))
  );
}

/** First binding without roles, and first binding per role, of one (guild, team). */
interface Slot {
  plain: CompiledBinding | undefined;
  readonly byRole: Map<string, CompiledBinding>;
}

/**
 * Bindings that share everything but guild, team and roles. The earliest one whose place holds is found by at most four lookups plus one
 * per role of the sender, however many bindings there are.
 */
export class Candidates {
  private readonly list: CompiledBinding[] = [];
  private slots: Map<string, Map<string, Slot>> | undefined;

  /** Only while compiling, in the order of the configuration. */
  add(binding: CompiledBinding): void {
    this.list.push(binding);
    if (this.slots) this.index(binding);
    else if (this.list.length > SCAN_LIMIT) {
      this.slots = new Map();
      for (const known of this.list) this.index(known);
    }
  }

  first(place: Place): CompiledBinding | undefined {
    if (!this.slots) {
      for (const binding of this.list) if (placeHolds(binding, place)) return binding;
      return undefined;
    }
    let best = this.ofGuild(this.slots.get(''), place);
    if (place.guildId !== '') best = earlier(best, this.ofGuild(this.slots.get(place.guildId), place));
    return best;
  }

  private ofGuild(teams: Map<string, Slot> | undefined, place: Place): CompiledBinding | undefined {
    if (!teams) return undefined;
    const best = ofSlot(teams.get(''), place);
    return place.teamId === '' ? best : earlier(best, ofSlot(teams.get(place.teamId), place));
  }

  private index(binding: CompiledBinding): void {
    const slots = this.slots as Map<string, Map<string, Slot>>;
    const teams = getOrAdd(slots, binding.guildId, () => new Map<string, Slot>());
    const slot = getOrAdd(teams, binding.teamId, (): Slot => ({ plain: undefined, byRole: new Map() }));
    if (binding.roles.length === 0) slot.plain ??= binding;
    for (const role of binding.roles) if (!slot.byRole.has(role)) slot.byRole.set(role, binding);
  }
}

function ofSlot(slot: Slot | undefined, place: Place): CompiledBinding | undefined {
  let best = slot?.plain;
  if (slot && slot.byRole.size > 0) for (const role of place.roles) best = earlier(best, slot.byRole.get(role));
  return best;
}

export function earlier(one: CompiledBinding | undefined, other: CompiledBinding | undefined): CompiledBinding | undefined {
  if (!one || !other) return one ?? other;
  return one.index <= other.index ? one : other;
}

export function getOrAdd<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}

/** The bindings of one channel and one account pattern, by what decides them. */
export class AccountIndex {
  private readonly dm = new Map<string, Candidates>();
  private readonly group = new Map<string, Candidates>();
  private readonly guildRoles = new Map<string, Candidates>();
  private readonly guild = new Map<string, Candidates>();
  private readonly team = new Map<string, Candidates>();
  /** The first binding that asks for nothing but channel and account. */
  unscoped: CompiledBinding | undefined;

  /** Only while compiling, in the order of the configuration. */
  add(binding: CompiledBinding): void {
    const newCandidates = (): Candidates => new Candidates();
    if (binding.peer) getOrAdd(this.peers(binding.peer.class), binding.peer.id, newCandidates).add(binding);
    else if (binding.shape === 'guild+roles') getOrAdd(this.guildRoles, binding.guildId, newCandidates).add(binding);
    else if (binding.shape === 'guild') getOrAdd(this.guild, binding.guildId, newCandidates).add(binding);
    else if (binding.shape === 'team') getOrAdd(this.team, binding.teamId, newCandidates).add(binding);
    else this.unscoped ??= binding;
  }

  /** `id` `*` finds the wildcards of the class. */
  byPeer(peerClass: PeerClass, id: string, place: Place): CompiledBinding | undefined {
    return this.peers(peerClass).get(id)?.first(place);
  }

  byPlace(shape: 'guild+roles' | 'guild' | 'team', place: Place): CompiledBinding | undefined {
    if (shape === 'team') return place.teamId === '' ? undefined : this.team.get(place.teamId)?.first(place);
    if (place.guildId === '') return undefined;
    return (shape === 'guild' ? this.guild : this.guildRoles).get(place.guildId)?.first(place);
  }

  private peers(peerClass: PeerClass): Map<string, Candidates> {
    return peerClass === 'dm' ? this.dm : this.group;
  }
}

/** The bindings that one account of a channel is subject to: its own and those for every account. */
export class AccountBindings {
  constructor(
    private readonly own: AccountIndex | undefined,
    private readonly any: AccountIndex | undefined,
  ) {}

  /** `id` `*` finds the wildcards of the class. */
  byPeer(peerClass: PeerClass, id: string, place: Place): CompiledBinding | undefined {
    return earlier(this.own?.byPeer(peerClass, id, place), this.any?.byPeer(peerClass, id, place));
  }

  byPlace(shape: 'guild+roles' | 'guild' | 'team', place: Place): CompiledBinding | undefined {
    return earlier(this.own?.byPlace(shape, place), this.any?.byPlace(shape, place));
  }

  byAccount(): CompiledBinding | undefined {
    return this.own?.unscoped;
  }

  byChannel(): CompiledBinding | undefined {
    return this.any?.unscoped;
  }
}

/** All bindings of one channel. */
export class ChannelIndex {
  readonly bindings: CompiledBinding[] = [];
  private readonly indexes = new Map<string, AccountIndex>();
  private readonly accounts = new Map<string, AccountBindings>();
  private others = new AccountBindings(undefined, undefined);

  constructor(
    /** Who answers when no binding matches. */
    readonly fallback: AgentTarget,
  ) {}

  /** Only while compiling, in the order of the configuration. */
  add(binding: CompiledBinding): void {
    this.bindings.push(binding);
    getOrAdd(this.indexes, binding.accountId, () => new AccountIndex()).add(binding);
  }

  /** Ends compiling: from here on the index does not change. */
  seal(): void {
    const any = this.indexes.get(ANY);
    for (const [accountId, own] of this.indexes) if (accountId !== ANY) this.accounts.set(accountId, new AccountBindings(own, any));
    this.others = new AccountBindings(undefined, any);
  }

  of(accountId: string): AccountBindings {
    return this.accounts.get(accountId) ?? this.others;
  }

  /** True for an account that bindings name; its id is normalised then. */
  names(accountId: unknown): accountId is string {
    return this.accounts.has(accountId as string);
  }
}
