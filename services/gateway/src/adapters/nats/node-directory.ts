import type { Bucket, Bus } from '@plexus/bus';
import { encodeToken, gatewayNodeContracts as contracts, plexusError } from '@plexus/contracts';
import { type Clock, fullJitter, PlexusError, type Timer, ulid } from '@plexus/kernel';
import type { Invocation, NodeAnswer } from '../../application/nodes/invocations.js';
import type { Audience } from '../../application/nodes/local-nodes.js';
import type { NodeDirectory } from '../../application/nodes/nodes.js';
import type { Log } from '../../application/ports.js';
import type { NodeRecord } from '../../domain/node-view.js';

/** What this process does for other gateways. */
export interface NodesHere {
  invokeHere(tenant: string, user: string, invocation: Invocation, signal: AbortSignal): Promise<NodeAnswer>;
  deliver(tenant: string, audience: Audience, event: string, payload: unknown): void;
}

interface Asked {
  readonly settle: (outcome: NodeAnswer | PlexusError) => void;
  readonly timer: Timer;
}

/** Nodes listed at once; nobody has more, and an answer must fit a frame. */
const MAX_LISTED = 500;
const READS_AT_ONCE = 16;
/** A node that was not seen for so long is forgotten. */
const FORGET_MS = 30 * 24 * 3_600_000;
/** Beyond the node's own time: for the way to its gateway and back. */
const WAY_MS = 2_000;
const MAX_ASKED_HERE = 1_000;
/** Records waiting to be written. */
const MAX_WRITES = 10_000;
const FAILURES = new Set(['NOT_CONNECTED', 'TIMEOUT', 'QUEUE_FULL', 'CANCELLED', 'PAYLOAD_TOO_LARGE']);

/**
 * Nodes of the whole mesh: a record per node in PLEXUS_PRESENCE, written when it comes and when it goes, and counted as connected only
 * while its gateway's lease in PLEXUS_NODES lives. Commands travel to the gateway that holds the node.
 */
export class NatsNodeDirectory implements NodeDirectory {
  private readonly asked = new Map<string, Asked>();
  private readonly running = new Map<string, AbortController>();
  /** The newest state of each record that is not written yet; the write under way takes what it finds here. */
  private readonly unwritten = new Map<string, NodeRecord>();
  private readonly writing = new Set<string>();
  private readonly listenings: { stop(): unknown }[] = [];
  private readonly stopping = new AbortController();
  private presence: Bucket | undefined;
  private leases: Bucket | undefined;

  constructor(
    private readonly bus: Pick<Bus, 'publishLive' | 'listenLive'>,
    private readonly gatewayId: string,
    private readonly clock: Clock,
    private readonly log: Pick<Log, 'warn' | 'debug'>,
  ) {}

  start(presence: Bucket, leases: Bucket, here: NodesHere): void {
    this.presence = presence;
    this.leases = leases;
    const mine = { key: [this.gatewayId] };
    this.listenings.push(
      this.bus.listenLive(contracts.nodeInvoke, mine, (ask, { tenant }) => void this.runHere(tenant, ask, here)),
      this.bus.listenLive(contracts.nodeInvokeCancelled, mine, ({ ask }) => this.running.get(ask)?.abort()),
      this.bus.listenLive(contracts.nodeInvoked, mine, ({ ask, failure, error, ...answer }) => {
        const outcome = failure === undefined ? { ...answer, ...(error === undefined ? {} : { error }) } : plexusError(failure, { message: error?.message });
        this.asked.get(ask)?.settle(outcome);
      }),
      this.bus.listenLive(contracts.nodeEvent, {}, ({ gateway, audience, owner, sessionKey, event, payloadJSON }, { tenant }) => {
        if (gateway === this.gatewayId) return;
        if (audience !== 'session') here.deliver(tenant, { kind: audience }, event, JSON.parse(payloadJSON));
        else if (owner !== undefined && sessionKey !== undefined) here.deliver(tenant, { kind: 'session', owner, sessionKey }, event, JSON.parse(payloadJSON));
      }),
    );
  }

  stop(): void {
    this.stopping.abort();
    for (const listening of this.listenings.splice(0)) listening.stop();
    for (const { settle } of [...this.asked.values()]) settle(plexusError('UNAVAILABLE', { message: 'the gateway is stopping' }));
    for (const running of this.running.values()) running.abort();
  }

  save(tenant: string, record: NodeRecord): void {
    const key = keyOf(tenant, record.user, record.nodeId);
    if (!this.unwritten.has(key) && this.unwritten.size >= MAX_WRITES) {
      this.log.warn({ nodes: this.unwritten.size }, 'too many nodes come and go; one is not listed');
      return;
    }
    this.unwritten.set(key, record);
    if (!this.writing.has(key)) void this.write(key);
  }

  async list(tenant: string, user: string | undefined): Promise<NodeRecord[]> {
    const { presence, leases } = this;
    if (presence === undefined || leases === undefined) throw plexusError('UNAVAILABLE', { message: 'the gateway is starting' });
    const [keys, alive] = await Promise.all([presence.keys(`node.${tenant}.${user === undefined ? '*' : encodeToken(user)}.*`), leases.keys()]);
    const living = new Set(alive);
    const records: NodeRecord[] = [];
    const wanted = keys.slice(0, MAX_LISTED);
    for (let from = 0; from < wanted.length; from += READS_AT_ONCE) {
      const entries = await Promise.all(wanted.slice(from, from + READS_AT_ONCE).map((key) => presence.get(key)));
      for (const entry of entries) if (entry !== undefined) records.push(asOf(entry.json<NodeRecord>(), living));
    }
    return records.filter((record) => record.gateway !== undefined || this.clock.now() - record.connectedAt < FORGET_MS);
  }

  invokeAt(gateway: string, tenant: string, user: string, invocation: Invocation, signal: AbortSignal): Promise<NodeAnswer> {
    const ask = ulid();
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.tell(contracts.nodeInvokeCancelled, tenant, gateway, { ask });
        settle(plexusError('CANCELLED', { message: 'nobody waits for the answer any more' }));
      };
      const settle = (outcome: NodeAnswer | PlexusError): void => {
        this.asked.delete(ask);
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        if (PlexusError.isPlexusError(outcome)) reject(outcome);
        else resolve(outcome);
      };
      const timer = this.clock.setTimeout(
        () => settle(plexusError('TIMEOUT', { message: 'the gateway of the node did not answer' })),
        invocation.timeoutMs + WAY_MS,
      );
      this.asked.set(ask, { settle, timer });
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        this.bus.publishLive(contracts.nodeInvoke, tenant, [gateway], { ask, gateway: this.gatewayId, user, ...invocation });
      } catch (error) {
        settle(PlexusError.isPlexusError(error) ? error : plexusError('UNAVAILABLE', { cause: error }));
      }
    });
  }

  broadcast(tenant: string, audience: Audience, event: string, payloadJSON: string): void {
    const { kind, ...session } = audience;
    this.bus.publishLive(contracts.nodeEvent, tenant, [this.gatewayId], { gateway: this.gatewayId, audience: kind, ...session, event, payloadJSON });
  }

  private async runHere(
    tenant: string,
    { ask, gateway, user, ...invocation }: { ask: string; gateway: string; user: string } & Invocation,
    here: NodesHere,
  ): Promise<void> {
    if (this.running.size >= MAX_ASKED_HERE) {
      this.tell(contracts.nodeInvoked, tenant, gateway, { ask, ok: false, failure: 'QUEUE_FULL' });
      return;
    }
    const running = new AbortController();
    this.running.set(ask, running);
    try {
      const answer = await here.invokeHere(tenant, user, invocation, running.signal);
      this.tell(contracts.nodeInvoked, tenant, gateway, { ask, ...answer });
    } catch (error) {
      const { code, message } = PlexusError.isPlexusError(error) ? error : { code: 'CANCELLED', message: 'the command was cancelled' };
      const failure = (FAILURES.has(code) ? code : 'INTERNAL') as 'TIMEOUT';
      this.tell(contracts.nodeInvoked, tenant, gateway, { ask, ok: false, failure, error: { code, message } });
    } finally {
      this.running.delete(ask);
    }
  }

  /** Answers that are too large become an error the asker can read. */
  private tell(
    contract: (typeof contracts)['nodeInvoked' | 'nodeInvokeCancelled'],
    tenant: string,
    gateway: string,
    data: { ask: string; ok?: boolean } & Record<string, unknown>,
  ): void {
    try {
      this.bus.publishLive(contract, tenant, [gateway], data as never);
    } catch (error) {
      this.log.debug({ error }, 'another gateway could not be told about a node');
      if (data.ok === true) this.tell(contract, tenant, gateway, { ask: data.ask, ok: false, failure: 'PAYLOAD_TOO_LARGE' });
    }
  }

  /** Writes until what is stored is the newest, with patience while the bus is away. */
  private async write(key: string): Promise<void> {
    this.writing.add(key);
    for (let attempt = 0; !this.stopping.signal.aborted; attempt += 1) {
      const record = this.unwritten.get(key);
      if (record === undefined) break;
      try {
        if (!(await this.writeOnce(key, record))) continue;
        attempt = 0;
        if (this.unwritten.get(key) === record) this.unwritten.delete(key);
      } catch (error) {
        this.log.debug({ error, attempt }, 'a node could not be written down; tried again');
        await this.clock.sleep(fullJitter(attempt, { baseMs: 100, capMs: 5_000 }), this.stopping.signal).catch(() => undefined); // ends the loop
      }
    }
    this.writing.delete(key);
  }

  /** False when somebody else was faster. */
  private async writeOnce(key: string, record: NodeRecord): Promise<boolean> {
    const presence = this.presence;
    if (presence === undefined) throw new Error('the bucket is not open yet');
    const stored = await presence.get(key);
    if (stored === undefined) return (await presence.create(key, record)) !== undefined;
    const other = stored.json<NodeRecord>();
    if (other.connId !== record.connId && other.connectedAt > record.connectedAt) return true;
    return (await presence.update(key, record, stored.revision)) !== undefined;
  }
}

function asOf({ gateway, ...record }: NodeRecord, living: ReadonlySet<string>): NodeRecord {
  return gateway !== undefined && living.has(gateway) ? { ...record, gateway } : record;
}

function keyOf(tenant: string, user: string, nodeId: string): string {
  return `node.${tenant}.${encodeToken(user)}.${encodeToken(nodeId)}`;
}
