import type { Bucket, Bus } from '@plexus/bus';
import { gatewayContracts as gateway } from '@plexus/contracts';
import { type Clock, type Timer, timeout, ulid } from '@plexus/kernel';
import type { Log } from '../../application/ports.js';
import type { Leaving, Peers } from '../../application/watch/watched-runs.js';
import type { WatchPlace } from '../../application/watch/watchers.js';

interface Question {
  /** Gateways that said no. */
  readonly none: Set<string>;
  watched: boolean;
  /** Looks again whether enough is known. */
  wake: () => void;
}

/** A third of the bucket's TTL: a gateway counts as alive until two renewals were missed. */
const LEASE_MS = 4_000;
const ASK_AGAIN_MS = 1_000;
/** A gateway that neither answers nor dies for so long leaves the question open. */
const ASK_LIMIT_MS = 60_000;
/** Sockets that leave within so long are told of together, once per user: a grace of seconds follows in any case. */
const TELL_AFTER_MS = 50;
/** A restart does not wait for a bus that is away. */
const GIVE_BACK_MS = 1_000;

/**
 * The other gateways of the mesh. Each has a lease in PLEXUS_NODES; a question is answered "nobody" only when every gateway with a lease
 * said so, so that a slow or restarting one is waited for instead of being overheard.
 */
export class GatewayPeers implements Peers {
  private readonly questions = new Map<string, Question>();
  private readonly listenings: { stop(): unknown }[] = [];
  private nodes: Bucket | undefined;
  private lease: Timer | undefined;
  private stopped = false;
  /** What the others are still to be told. */
  private readonly untold = new Map<string, Leaving>();
  private telling: Timer | undefined;

  constructor(
    private readonly bus: Pick<Bus, 'publishLive' | 'listenLive'>,
    private readonly gatewayId: string,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'warn' | 'debug'>,
    /** What the lease says of this gateway, beside that it lives. */
    private readonly facts: () => object = () => ({}),
  ) {}

  /** Takes the lease, then answers and hears. `isWatched` is about this process, `heard` takes what others tell. */
  async start(nodes: Bucket, here: { readonly isWatched: (place: WatchPlace) => boolean; readonly heard: (leaving: Leaving) => void }): Promise<void> {
    this.nodes = nodes;
    this.listenings.push(
      this.bus.listenLive(gateway.watchAsked, {}, ({ ask, gateway: asker, ...place }, { tenant }) => {
        if (asker === this.gatewayId) return;
        const answer = { ask, gateway: this.gatewayId, watched: here.isWatched({ ...place, tenant }) };
        this.bus.publishLive(gateway.watchAnswered, tenant, [asker], answer);
      }),
      this.bus.listenLive(gateway.watchAnswered, { key: [this.gatewayId] }, ({ ask, gateway: from, watched }) => {
        const question = this.questions.get(ask);
        if (question === undefined) return;
        if (watched) question.watched = true;
        else question.none.add(from);
        question.wake();
      }),
      this.bus.listenLive(gateway.watcherLeft, {}, ({ gateway: from, user, kind, owner, sessionKey }, { tenant }) => {
        if (from === this.gatewayId) return;
        here.heard({ tenant, user, kind, ...(owner === undefined || sessionKey === undefined ? {} : { session: { owner, sessionKey } }) });
      }),
    );
    await this.writeLease();
    this.renewLater();
  }

  /** Gives the lease back. */
  async stop(): Promise<void> {
    this.stopped = true;
    this.lease?.cancel();
    this.tellAll();
    for (const listening of this.listenings.splice(0)) listening.stop();
    for (const { wake } of this.questions.values()) wake();
    try {
      if (this.nodes !== undefined) await timeout(this.nodes.delete(this.gatewayId), GIVE_BACK_MS, { what: 'the end of a lease' });
    } catch (error) {
      this.log.debug({ error }, 'the lease of this gateway could not be given back; it runs out');
    }
  }

  tell(leaving: Leaving): void {
    if (leaving.session !== undefined || this.stopped) {
      this.send(leaving);
      return;
    }
    this.untold.set(`${leaving.kind}\u0000${leaving.tenant}\u0000${leaving.user}`, leaving);
    this.telling ??= this.clock.setTimeout(() => this.tellAll(), TELL_AFTER_MS).unref();
  }

  private tellAll(): void {
    this.telling?.cancel();
    this.telling = undefined;
    for (const leaving of this.untold.values()) this.send(leaving);
    this.untold.clear();
  }

  private send({ tenant, user, kind, session }: Leaving): void {
    try {
      this.bus.publishLive(gateway.watcherLeft, tenant, [user], { gateway: this.gatewayId, user, kind, ...session });
    } catch (error) {
      this.log.debug({ error }, 'other gateways could not be told that a watcher left');
    }
  }

  async isWatched(place: WatchPlace): Promise<boolean> {
    const ask = ulid();
    const question: Question = { none: new Set(), watched: false, wake: () => undefined };
    this.questions.set(ask, question);
    const deadline = this.clock.monotonic() + ASK_LIMIT_MS;
    try {
      while (!this.stopped && this.clock.monotonic() < deadline) {
        const others = await this.others();
        if (others?.every((id) => question.none.has(id)) === true) return question.watched;
        const { tenant, ...rest } = place;
        const answered = this.oneOf(question, others ?? []);
        this.bus.publishLive(gateway.watchAsked, tenant, [ask], { ask, gateway: this.gatewayId, ...rest });
        await answered;
        if (question.watched) return true;
      }
      throw new Error('not every gateway said whether it has watchers');
    } finally {
      this.questions.delete(ask);
    }
  }

  /** Resolves when somebody said yes or all said no, at the latest when it is time to ask again. */
  private oneOf(question: Question, others: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(resolve, ASK_AGAIN_MS);
      question.wake = () => {
        if (!this.stopped && !question.watched && !others.every((id) => question.none.has(id))) return;
        timer.cancel();
        resolve();
      };
    });
  }

  /** Undefined while that cannot be read. */
  private async others(): Promise<readonly string[] | undefined> {
    try {
      return (await this.nodes?.keys())?.filter((id) => id !== this.gatewayId);
    } catch (error) {
      this.log.debug({ error }, 'the gateways of the mesh cannot be listed; tried again');
      return undefined;
    }
  }

  private async writeLease(): Promise<void> {
    await this.nodes?.put(this.gatewayId, { at: this.clock.now(), ...this.facts() });
  }

  private renewLater(): void {
    this.lease = this.clock.setTimeout(() => void this.renew(), LEASE_MS);
  }

  private async renew(): Promise<void> {
    if (this.stopped) return;
    try {
      await this.writeLease();
    } catch (error) {
      this.log.debug({ error }, 'the lease of this gateway could not be renewed; tried again');
    }
    if (!this.stopped) this.renewLater();
  }
}
