import { BUCKETS, CONSUMERS, plexusError, STREAMS } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { bucketStream } from './bucket-entry.js';
import type { Bus, TopologyNeed } from './bus.js';
import type { JetStreamApi } from './jetstream-api.js';
import {
  bucketFields,
  type ConsumerFields,
  consumerFields,
  differences,
  entryFor,
  judgeConsumer,
  judgeStream,
  type PlanDifference,
  type PlanEntry,
  type PlanOptions,
  type StreamFields,
  streamFields,
} from './stream-plan.js';

/** Fields whose value is the operator's business: a service runs with any of them. */
const OPERATOR_FIELDS = new Set(['max_bytes', 'max_age', 'num_replicas', 'max_msg_size', 'allow_direct', 'max_waiting', 'discard', 'deny_delete', 'storage']);

/** The whole topology; a program may plan a part of it. */
const EVERYTHING: Required<TopologyNeed> = { streams: STREAMS, consumers: Object.values(CONSUMERS), buckets: Object.values(BUCKETS) };

interface Asset {
  readonly kind: PlanEntry['kind'];
  readonly asset: string;
  /** What differs between declaration and server; undefined when the asset does not exist. */
  compare(): Promise<PlanDifference[] | undefined>;
  create(): Promise<unknown>;
  update(): Promise<unknown>;
}

/** What {@link applyStreams} would do. */
export async function planStreams(bus: Bus, options: PlanOptions & { readonly need?: TopologyNeed } = {}): Promise<PlanEntry[]> {
  const entries: PlanEntry[] = [];
  for (const asset of assetsOf(bus.jetstream, options.need ?? EVERYTHING, options)) {
    entries.push(entryFor(asset.kind, asset.asset, await asset.compare()));
  }
  return entries;
}

/**
 * Creates and updates what the contracts declare, then reads back what the server stored: older servers ignore some settings without a
 * word. An entry tells what was done; `conflict` what was not done and why. Nothing is deleted and no limit lowered below what is stored.
 */
export async function applyStreams(bus: Bus, options: PlanOptions & { readonly need?: TopologyNeed } = {}): Promise<PlanEntry[]> {
  const entries: PlanEntry[] = [];
  for (const asset of assetsOf(bus.jetstream, options.need ?? EVERYTHING, options)) entries.push(await applyAsset(asset));
  return entries;
}

async function applyAsset(asset: Asset): Promise<PlanEntry> {
  const planned = entryFor(asset.kind, asset.asset, await asset.compare());
  if (planned.action === 'ok' || planned.action === 'conflict') return planned;
  try {
    await (planned.action === 'create' ? asset.create() : asset.update());
  } catch (error) {
    if (!PlexusError.isPlexusError(error) || error.code !== 'CONFLICT') throw error;
    const refusal = { field: '*', declared: planned.action, stored: undefined, reason: error.message };
    return { ...planned, action: 'conflict', differences: [...planned.differences, refusal] };
  }
  const remaining = (await asset.compare()) ?? [{ field: '*', declared: 'exists', stored: undefined }];
  if (remaining.length === 0) return planned;
  const ignored = remaining.map((difference) => ({ reason: 'the server accepted this and stored something else', ...difference }));
  return { ...planned, action: 'conflict', differences: ignored };
}

/** Streams before their consumers. */
function assetsOf(api: JetStreamApi, need: TopologyNeed, options: PlanOptions): Asset[] {
  const streams = (need.streams ?? []).filter((stream) => typeof stream !== 'string');
  return [
    ...streams.map((definition) => streamAsset(api, 'stream', definition.name, streamFields(definition, options))),
    ...(need.buckets ?? []).map((definition) => streamAsset(api, 'bucket', definition.name, bucketFields(definition, options))),
    ...(need.consumers ?? []).map((definition) => consumerAsset(api, definition.stream, consumerFields(definition))),
  ];
}

function streamAsset(api: JetStreamApi, kind: 'stream' | 'bucket', asset: string, fields: StreamFields): Asset {
  return {
    kind,
    asset,
    async compare() {
      const info = await api.streamInfo(fields.name);
      return info && judgeStream(differences(fields, info.config as never), info, Date.now());
    },
    create: () => api.createStream(fields),
    async update() {
      // Settings that we do not declare stay as the operator made them.
      const info = await api.streamInfo(fields.name);
      return api.updateStream({ ...info?.config, ...fields });
    },
  };
}

function consumerAsset(api: JetStreamApi, stream: string, fields: ConsumerFields): Asset {
  return {
    kind: 'consumer',
    asset: `${stream}/${fields.name}`,
    async compare() {
      const info = await api.consumerInfo(stream, fields.name);
      return info && judgeConsumer(differences(fields, info.config as never));
    },
    create: () => api.putConsumer(stream, fields),
    update: () => api.putConsumer(stream, fields),
  };
}

/** See {@link Bus.checkPlan}. Limits that an operator may tune are not compared. */
export async function checkTopology(api: JetStreamApi, need: TopologyNeed): Promise<void> {
  const problems: string[] = [];
  for (const name of need.streams?.filter((stream) => typeof stream === 'string') ?? []) {
    if ((await api.streamInfo(name)) === undefined) problems.push(`stream ${name} is missing`);
  }
  for (const asset of assetsOf(api, need, {})) {
    const found = await asset.compare();
    if (found === undefined) problems.push(`${asset.kind} ${asset.asset} is missing`);
    else problems.push(...found.filter(({ field }) => !OPERATOR_FIELDS.has(field)).map((difference) => describe(asset, difference)));
  }
  if (problems.length > 0) throw plexusError('STREAM_PLAN_MISMATCH', { details: { problems } });
}

function describe(asset: Asset, { field, declared, stored }: PlanDifference): string {
  return `${asset.kind} ${asset.asset}: ${field} is ${JSON.stringify(stored)}, declared ${JSON.stringify(declared)}`;
}

/** Fails with STREAM_PLAN_MISMATCH when the bucket does not exist. */
export async function requireBucket(api: JetStreamApi, bucket: string): Promise<void> {
  if ((await api.streamInfo(bucketStream(bucket))) === undefined) {
    throw plexusError('STREAM_PLAN_MISMATCH', { details: { problems: [`bucket ${bucket} is missing`] } });
  }
}
