import type { MeshBucket, MeshConsumer, MeshEndpoint, MeshReplica, MeshService, MeshStream, MeshView } from '@plexus/contracts';

/** What is read from the bus for one look at the mesh. */
export interface MeshSurvey {
  replicas(): Promise<readonly SeenReplica[]>;
  /** Streams and buckets. */
  stores(): Promise<{ readonly streams: readonly MeshStream[]; readonly buckets: readonly MeshBucket[] }>;
  /** Durable consumers of these streams. */
  consumers(streams: readonly string[]): Promise<readonly MeshConsumer[]>;
  isConnected(): boolean;
  /** Services of Plexus that a complete mesh has. */
  readonly expected: readonly string[];
}

/** One process that said how it is. */
export interface SeenReplica extends Pick<MeshReplica, 'id' | 'instance' | 'version' | 'startedAt' | 'ready' | 'failing' | 'degraded' | 'vitals'> {
  readonly service: string;
  readonly endpoints: readonly MeshEndpoint[];
}

/** However many people look: the mesh is asked at most this often. */
const FRESH_MS = 2_000;
/** A replica that does not answer any more is shown as silent this long, then it is gone. */
const REMEMBERED_MS = 15_000;

/** The live map of the mesh: read once for everybody who looks at it within {@link FRESH_MS}. */
export class MeshMap {
  private readonly known = new Map<string, { readonly replica: SeenReplica; seenAt: number }>();
  private current: { readonly at: number; readonly view: Promise<MeshView> } | undefined;

  constructor(
    private readonly survey: MeshSurvey,
    /** Wall clock, ms. */
    private readonly now: () => number,
  ) {}

  /** The newest look that is not older than {@link FRESH_MS}. Never rejects: what cannot be read is said in `problems`. */
  view(): Promise<MeshView> {
    const at = this.now();
    if (this.current === undefined || at - this.current.at >= FRESH_MS || at < this.current.at) this.current = { at, view: this.look(at) };
    return this.current.view;
  }

  private async look(at: number): Promise<MeshView> {
    const problems: string[] = [];
    const connected = this.survey.isConnected();
    const say = (what: string) => (error: unknown) => void problems.push(`${what}: ${(error as Error).message}`);
    const [replicas, stored] = await Promise.all([
      connected ? this.survey.replicas().catch(say('services cannot be asked')) : undefined,
      connected ? this.survey.stores().catch(say('streams cannot be read')) : undefined,
    ]);
    const { streams = [], buckets = [] } = stored ?? {};
    const consumers = connected ? await this.survey.consumers(streams.map(({ name }) => name)).catch(say('consumers cannot be read')) : undefined;
    if (!connected) problems.push('the gateway is not connected to NATS');
    const services = this.remember(replicas ?? [], at);
    const answering = new Set(services.filter((one) => one.replicas.some(({ answers }) => answers)).map(({ name }) => name));
    return {
      at: new Date(at).toISOString(),
      nats: { connected },
      services,
      missing: this.survey.expected.filter((name) => !answering.has(name)),
      streams: [...streams],
      consumers: [...(consumers ?? [])],
      buckets: [...buckets],
      problems,
    };
  }

  private remember(replicas: readonly SeenReplica[], at: number): MeshService[] {
    for (const replica of replicas) this.known.set(replica.id, { replica, seenAt: at });
    const byService = new Map<string, { replica: SeenReplica; seenAt: number }[]>();
    for (const [id, entry] of this.known) {
      if (at - entry.seenAt > REMEMBERED_MS) {
        this.known.delete(id);
        continue;
      }
      const list = byService.get(entry.replica.service) ?? [];
      list.push(entry);
      byService.set(entry.replica.service, list);
    }
    return [...byService].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([name, entries]) => serviceView(name, entries, at));
  }
}

function serviceView(name: string, entries: readonly { replica: SeenReplica; seenAt: number }[], at: number): MeshService {
  const replicas = entries.map(({ replica, seenAt }) => replicaView(replica, seenAt, at)).sort((a, b) => a.instance.localeCompare(b.instance, 'en'));
  const answering = entries.filter(({ seenAt }) => seenAt === at).map(({ replica }) => replica);
  const endpoints = sumOf(answering.flatMap((replica) => replica.endpoints));
  return {
    name,
    versions: [...new Set(answering.map(({ version }) => version))].sort(),
    ready: answering.length > 0 && answering.every(({ ready }) => ready !== false),
    requests: total(endpoints, 'requests'),
    errors: total(endpoints, 'errors'),
    replicas,
    endpoints,
  };
}

function replicaView({ service: _service, endpoints, ...replica }: SeenReplica, seenAt: number, at: number): MeshReplica {
  const started = Date.parse(replica.startedAt);
  return {
    ...replica,
    ...(Number.isNaN(started) ? {} : { uptimeMs: Math.max(0, at - started) }),
    answers: seenAt === at,
    lastSeenAt: new Date(seenAt).toISOString(),
    requests: total(endpoints, 'requests'),
    errors: total(endpoints, 'errors'),
  };
}

const total = (endpoints: readonly MeshEndpoint[], field: 'requests' | 'errors'): number => endpoints.reduce((sum, endpoint) => sum + endpoint[field], 0);

/** One line for each endpoint, whoever answered it; the average weighs by requests. */
function sumOf(endpoints: readonly MeshEndpoint[]): MeshEndpoint[] {
  const byName = new Map<string, MeshEndpoint>();
  for (const one of endpoints) {
    const before = byName.get(one.name);
    const requests = one.requests + (before?.requests ?? 0);
    const spent = one.averageMs * one.requests + (before === undefined ? 0 : before.averageMs * before.requests);
    const averageMs = requests === 0 ? 0 : Math.round((spent / requests) * 1_000) / 1_000;
    byName.set(one.name, { name: one.name, subject: one.subject, requests, errors: one.errors + (before?.errors ?? 0), averageMs });
  }
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name, 'en'));
}
