import { z } from 'zod';

/** The answer of `GET /v1/mesh`: the mesh as it is. What the gateway says and the console draws. */

const Count = z.number();

export const MeshEndpoint = z.object({ name: z.string(), subject: z.string(), requests: Count, errors: Count, averageMs: Count });
export type MeshEndpoint = z.infer<typeof MeshEndpoint>;

export const MeshReplica = z.object({
  id: z.string(),
  instance: z.string(),
  version: z.string(),
  startedAt: z.string(),
  uptimeMs: Count.optional(),
  ready: z.boolean().optional().describe('As of its last check; absent: it does not say.'),
  answers: z.boolean().describe('False: it did lately, and does not now.'),
  lastSeenAt: z.string(),
  requests: Count,
  errors: Count,
  failing: z.array(z.object({ name: z.string(), reason: z.string() })),
  degraded: z.array(z.object({ module: z.string(), reason: z.string() })),
  vitals: z.record(z.string(), Count).describe('rssBytes of every service; clients, vms and streams of gateways.'),
});
export type MeshReplica = z.infer<typeof MeshReplica>;

export const MeshService = z.object({
  name: z.string(),
  versions: z.array(z.string()),
  ready: z.boolean().describe('Every replica that answers is ready; false as soon as one is not, or none answers.'),
  requests: Count,
  errors: Count,
  replicas: z.array(MeshReplica),
  endpoints: z.array(MeshEndpoint).describe('Of all replicas together.'),
});
export type MeshService = z.infer<typeof MeshService>;

export const MeshStream = z.object({
  name: z.string(),
  summary: z.string(),
  messages: Count,
  bytes: Count,
  firstSeq: Count,
  lastSeq: Count,
  consumers: Count,
});
export type MeshStream = z.infer<typeof MeshStream>;

export const MeshConsumer = z.object({
  stream: z.string(),
  name: z.string(),
  service: z.string(),
  summary: z.string(),
  pending: Count.describe('Not delivered yet: how far behind it is.'),
  ackPending: Count,
  redelivered: Count,
  waiting: Count.describe('Workers that wait for messages.'),
});
export type MeshConsumer = z.infer<typeof MeshConsumer>;

export const MeshBucket = z.object({ name: z.string(), summary: z.string(), entries: Count, bytes: Count });
export type MeshBucket = z.infer<typeof MeshBucket>;

export const MeshView = z.object({
  at: z.string(),
  nats: z.object({ connected: z.boolean() }),
  services: z.array(MeshService),
  missing: z.array(z.string()).describe('Services that a complete mesh has and nobody answers for.'),
  streams: z.array(MeshStream),
  consumers: z.array(MeshConsumer),
  buckets: z.array(MeshBucket),
  problems: z.array(z.string()).describe('What could not be read now, in sentences.'),
});
export type MeshView = z.infer<typeof MeshView>;
