import { type Bus, discoverServices, type FoundReplica } from '@plexus/bus';
import { BUCKETS, CONSUMERS, type MeshBucket, type MeshConsumer, type MeshStream, ROLES, STREAMS } from '@plexus/contracts';
import type { MeshSurvey, SeenReplica } from '../../application/mesh-map.js';

const BUCKET_PREFIX = 'KV_';
/** A mesh that is well answers at once; nobody waits longer for a picture of one that is not. */
const API_TIMEOUT_MS = 2_000;

/** Looks at the mesh over the bus: asks replicas, lists streams and consumers. Only what Plexus declares or names its own is shown. */
export class BusSurvey implements MeshSurvey {
  /** The gateway serves nothing and is expected all the same; channels run where somebody configured them. */
  readonly expected = ROLES.filter(({ name }) => !name.startsWith('channel-')).map(({ name }) => name);
  private readonly streamSummaries = new Map<string, string>(STREAMS.map(({ name, summary }) => [name, summary]));
  private readonly bucketSummaries = new Map<string, string>(Object.values(BUCKETS).map(({ name, summary }) => [name, summary]));
  private readonly definitions = new Map(Object.values(CONSUMERS).map((one) => [one.name as string, one]));

  constructor(private readonly bus: Pick<Bus, 'connection' | 'inboxPrefix' | 'jetstream' | 'isConnected'>) {}

  isConnected(): boolean {
    return this.bus.isConnected();
  }

  async replicas(): Promise<readonly SeenReplica[]> {
    return (await discoverServices(this.bus)).map(seen);
  }

  async stores(): Promise<{ streams: MeshStream[]; buckets: MeshBucket[] }> {
    const streams: MeshStream[] = [];
    const buckets: MeshBucket[] = [];
    for (const { config, state } of await this.bus.jetstream.streams({ timeoutMs: API_TIMEOUT_MS })) {
      const { messages, bytes, first_seq: firstSeq, last_seq: lastSeq, consumer_count: consumers } = state;
      const bucket = config.name.startsWith(BUCKET_PREFIX) ? config.name.slice(BUCKET_PREFIX.length) : undefined;
      if (bucket !== undefined && this.bucketSummaries.has(bucket))
        buckets.push({ name: bucket, summary: this.bucketSummaries.get(bucket) ?? '', entries: messages, bytes });
      const summary = this.streamSummaries.get(config.name);
      if (summary !== undefined) streams.push({ name: config.name, summary, messages, bytes, firstSeq, lastSeq, consumers });
    }
    return { streams: streams.sort(byName), buckets: buckets.sort(byName) };
  }

  async consumers(streams: readonly string[]): Promise<MeshConsumer[]> {
    const lists = await Promise.all(streams.map((stream) => this.bus.jetstream.consumers(stream, { timeoutMs: API_TIMEOUT_MS })));
    return lists
      .flat()
      .filter(({ config }) => config.durable_name !== undefined)
      .map((info) => {
        const definition = this.definitions.get(info.name);
        return {
          stream: info.stream_name,
          name: info.name,
          service: definition?.service ?? info.name.split('-', 1)[0] ?? '',
          summary: definition?.summary ?? '',
          pending: info.num_pending,
          ackPending: info.num_ack_pending,
          redelivered: info.num_redelivered,
          waiting: info.num_waiting,
        };
      })
      .sort(byName);
  }
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => a.name.localeCompare(b.name, 'en');

function seen({ service, id, version, metadata, startedAt, endpoints, data }: FoundReplica): SeenReplica {
  const { ready, failing, degraded, vitals } = data as Partial<Pick<SeenReplica, 'ready' | 'failing' | 'degraded' | 'vitals'>>;
  return {
    ...{ service, id, version, startedAt, endpoints },
    instance: metadata.instance ?? id,
    ...(typeof ready === 'boolean' && { ready }),
    failing: Array.isArray(failing) ? failing : [],
    degraded: Array.isArray(degraded) ? degraded : [],
    vitals: typeof vitals === 'object' && vitals !== null ? vitals : {},
  };
}
