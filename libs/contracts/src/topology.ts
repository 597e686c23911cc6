/**
 * Streams, consumers and buckets: declared here, applied by `plexus nats apply`, read back and checked by every service at start-up.
 * Nothing is created on the fly by a replica.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIB = 1024 * 1024;

export interface StreamDefinition {
  /** Upper snake, shorter than 32 characters. */
  readonly name: string;
  readonly subjects: readonly string[];
  readonly retention: 'limits' | 'workqueue';
  /** `old`: the oldest make room; `new`: publishers feel the pressure. */
  readonly discard: 'old' | 'new';
  /** 0 = no limit. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  readonly maxMessageBytes: number;
  readonly duplicateWindowMs: number;
  readonly summary: string;
}

export interface ConsumerDefinition {
  readonly stream: string;
  /** Durable name: `<service>-<purpose>`. */
  readonly name: string;
  readonly service: string;
  readonly filter: string;
  /** Retries wait as `Outcome.retry` says; this only bounds how long a crashed worker keeps a message. At most 10 s. */
  readonly ackWaitMs: number;
  /** -1: for ever. */
  readonly maxDeliver: number;
  readonly maxAckPending: number;
  readonly deliver: 'all' | 'new';
  readonly summary: string;
}

export interface BucketDefinition {
  readonly name: string;
  /** 0 = entries stay until they are deleted. */
  readonly ttlMs: number;
  readonly history: number;
  readonly maxBytes: number;
  readonly summary: string;
}

const stream = (name: string, subjects: string[], rest: Partial<StreamDefinition> & { summary: string }): StreamDefinition => ({
  name,
  subjects,
  retention: 'limits',
  discard: 'old',
  maxAgeMs: 7 * DAY,
  maxBytes: 1024 * MIB,
  maxMessageBytes: MIB,
  duplicateWindowMs: 2 * MINUTE,
  ...rest,
});

const evt = (domain: string, summary: string): StreamDefinition => stream(`PLEXUS_EVT_${domain.toUpperCase()}`, [`plexus.evt.*.${domain}.>`], { summary });

const work = (domain: string, summary: string): StreamDefinition =>
  stream(`PLEXUS_CMD_${domain.toUpperCase()}`, [`plexus.cmd.*.${domain}.>`], { retention: 'workqueue', discard: 'new', maxAgeMs: 0, summary });

export const STREAMS: readonly StreamDefinition[] = [
  stream('PLEXUS_IN', ['plexus.in.>'], { summary: 'Events of others, entering Plexus.' }),
  stream('PLEXUS_EVT_SESSION', ['plexus.evt.*.session.>'], {
    maxAgeMs: 3 * DAY,
    summary: 'Live session events and transcript appends; replayed to reconnecting watchers.',
  }),
  evt('vm', 'Life of VMs.'),
  evt('routing', 'Facts of routing, breaker events among them.'),
  evt('push', 'Deliveries and decisions.'),
  evt('memory', 'Memories written and forgotten, without content.'),
  evt('config', 'Configuration revisions.'),
  evt('user', 'Erasure requests and receipts.'),
  stream('PLEXUS_EVT_AUDIT', ['plexus.evt.*.audit.>'], {
    maxAgeMs: 366 * DAY,
    maxBytes: 256 * MIB,
    summary: 'Who did what of the things that administrators answer for.',
  }),
  work('run', 'Runs to start, cancel or steer.'),
  work('channel', 'Messages for chat channels.'),
  work('memory', 'Memories to write and embed.'),
  stream('PLEXUS_CMD_PUSH', ['plexus.cmd.*.push.>'], { maxAgeMs: DAY, discard: 'new', summary: 'Deliveries outside the inbox.' }),
  stream('PLEXUS_PUSH_LOG', ['plexus.log.*.push.>'], { maxAgeMs: 14 * DAY, summary: 'The ordered log that push decides from.' }),
  stream('PLEXUS_DLQ', ['plexus.dlq.>'], { maxAgeMs: 30 * DAY, summary: 'Parked messages awaiting a human.' }),
  stream('PLEXUS_ADVISORIES', ['$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.*'], {
    maxAgeMs: 30 * DAY,
    maxBytes: 64 * MIB,
    summary: 'Deliveries exhausted: read to park what a crashing worker left.',
  }),
];

const consumer = (
  definition: Partial<ConsumerDefinition> & Pick<ConsumerDefinition, 'stream' | 'name' | 'service' | 'filter' | 'summary'>,
): ConsumerDefinition => ({
  ackWaitMs: 10 * SECOND,
  maxDeliver: 6,
  maxAckPending: 256,
  deliver: 'all',
  ...definition,
});

/** The consumer of one channel adapter; a work queue allows no overlapping filters, so every adapter has a command and a consumer of its own. */
export function channelConsumer(adapter: string): ConsumerDefinition {
  return consumer({
    stream: 'PLEXUS_CMD_CHANNEL',
    name: `channel-${adapter}`,
    service: 'channel',
    filter: `plexus.cmd.*.channel.send-${adapter}.v1.>`,
    maxDeliver: -1,
    summary: `The ${adapter} adapter sends. It ends every message with an outcome event; only that event's own delivery is retried.`,
  });
}

export const CONSUMERS = {
  routingSessionEnds: consumer({
    stream: 'PLEXUS_EVT_SESSION',
    name: 'routing-session-ends',
    service: 'routing',
    filter: 'plexus.evt.*.session.event.v1.>',
    maxDeliver: -1,
    summary: 'Routing closes runs at their first end and appends the answer.',
  }),
  schedulerRun: consumer({
    stream: 'PLEXUS_CMD_RUN',
    name: 'scheduler-run',
    service: 'scheduler',
    filter: 'plexus.cmd.*.run.>',
    maxDeliver: -1,
    summary: 'Scheduler starts, cancels and steers runs. A start is done as soon as its intent is committed; waiting for the VM happens outside the message.',
  }),
  schedulerSessionEnds: consumer({
    stream: 'PLEXUS_EVT_SESSION',
    name: 'scheduler-session-ends',
    service: 'scheduler',
    filter: 'plexus.evt.*.session.event.v1.>',
    maxDeliver: -1,
    maxAckPending: 1_024,
    summary: 'Scheduler learns which runs are over, so that a new incarnation is not handed a run that has ended.',
  }),
  schedulerSessionChanges: consumer({
    stream: 'PLEXUS_EVT_SESSION',
    name: 'scheduler-session-changes',
    service: 'scheduler',
    filter: 'plexus.evt.*.session.changed.v1.>',
    maxDeliver: -1,
    summary: 'Scheduler ends the VMs of sessions that were deleted or reset and forgets their snapshots.',
  }),
  routingInbound: consumer({
    stream: 'PLEXUS_IN',
    name: 'routing-inbound',
    service: 'routing',
    filter: 'plexus.in.*.*.message-received.v1.>',
    maxDeliver: -1,
    summary: 'Routing accepts what people write on channels.',
  }),
  routingSendSucceeded: consumer({
    stream: 'PLEXUS_IN',
    name: 'routing-send-succeeded',
    service: 'routing',
    filter: 'plexus.in.*.*.send-succeeded.v1.>',
    maxDeliver: -1,
    summary: 'Routing closes deliveries that a platform took.',
  }),
  routingSendFailed: consumer({
    stream: 'PLEXUS_IN',
    name: 'routing-send-failed',
    service: 'routing',
    filter: 'plexus.in.*.*.send-failed.v1.>',
    maxDeliver: -1,
    summary: 'Routing decides about failed deliveries: again, another account, or a dead letter.',
  }),
  channelWebhook: channelConsumer('webhook'),
  channelTelegram: channelConsumer('telegram'),
  channelSlack: channelConsumer('slack'),
  channelUpstream: channelConsumer('upstream'),
  pushIn: consumer({
    stream: 'PLEXUS_IN',
    name: 'push-in',
    service: 'push',
    filter: 'plexus.in.>',
    maxAckPending: 1_000,
    summary: 'Push matches foreign events with subscriptions.',
  }),
  pushDeliver: consumer({
    stream: 'PLEXUS_CMD_PUSH',
    name: 'push-deliver',
    service: 'push',
    filter: 'plexus.cmd.*.push.deliver.v1.>',
    maxDeliver: -1,
    // Deliveries that wait for a channel which is away count as pending, and must not keep those of everybody else.
    maxAckPending: 50_000,
    summary: 'Push sends over channels outside the inbox.',
  }),
  pushVmEvents: consumer({
    stream: 'PLEXUS_EVT_VM',
    name: 'push-vm-events',
    service: 'push',
    filter: 'plexus.evt.*.vm.>',
    deliver: 'new',
    summary: 'Push matches facts of VMs with subscriptions.',
  }),
  pushRoutingEvents: consumer({
    stream: 'PLEXUS_EVT_ROUTING',
    name: 'push-routing-events',
    service: 'push',
    filter: 'plexus.evt.*.routing.>',
    deliver: 'new',
    summary: 'Push matches facts of routing with subscriptions.',
  }),
  pushMemoryEvents: consumer({
    stream: 'PLEXUS_EVT_MEMORY',
    name: 'push-memory-events',
    service: 'push',
    filter: 'plexus.evt.*.memory.>',
    deliver: 'new',
    summary: 'Push matches facts of memory with subscriptions.',
  }),
  pushConfigEvents: consumer({
    stream: 'PLEXUS_EVT_CONFIG',
    name: 'push-config-events',
    service: 'push',
    filter: 'plexus.evt.*.config.>',
    deliver: 'new',
    summary: 'Push matches facts of configuration with subscriptions.',
  }),
  memoryWrite: consumer({
    stream: 'PLEXUS_CMD_MEMORY',
    name: 'memory-write',
    service: 'memory',
    filter: 'plexus.cmd.*.memory.write.v1.>',
    maxDeliver: -1,
    summary: 'Memory stores what fire-and-forget writers sent.',
  }),
  memoryErase: consumer({
    stream: 'PLEXUS_EVT_USER',
    name: 'memory-erase',
    service: 'memory',
    filter: 'plexus.evt.*.user.erase-requested.v1.>',
    maxDeliver: -1,
    summary: 'Memory forgets a person.',
  }),
  memorySessions: consumer({
    stream: 'PLEXUS_EVT_SESSION',
    name: 'memory-sessions',
    service: 'memory',
    filter: 'plexus.evt.*.session.message.v1.>',
    maxDeliver: -1,
    summary: 'Memory takes its session messages from the transcripts, so that nobody has to append them.',
  }),
  memorySessionChanges: consumer({
    stream: 'PLEXUS_EVT_SESSION',
    name: 'memory-session-changes',
    service: 'memory',
    filter: 'plexus.evt.*.session.changed.v1.>',
    maxDeliver: -1,
    summary: 'Memory forgets the messages of deleted sessions.',
  }),
  pushErase: consumer({
    stream: 'PLEXUS_EVT_USER',
    name: 'push-erase',
    service: 'push',
    filter: 'plexus.evt.*.user.erase-requested.v1.>',
    maxDeliver: -1,
    summary: 'Push forgets a person.',
  }),
  schedulerErase: consumer({
    stream: 'PLEXUS_EVT_USER',
    name: 'scheduler-erase',
    service: 'scheduler',
    filter: 'plexus.evt.*.user.erase-requested.v1.>',
    maxDeliver: -1,
    summary: "The scheduler ends a person's VMs and forgets the rest.",
  }),
  memoryEmbed: consumer({
    stream: 'PLEXUS_CMD_MEMORY',
    name: 'memory-embed',
    service: 'memory',
    filter: 'plexus.cmd.*.memory.embed.v1.>',
    maxDeliver: -1,
    summary: 'Memory makes the vectors of what was written. An endpoint may be away for as long as it likes.',
  }),
  routingErase: consumer({
    stream: 'PLEXUS_EVT_USER',
    name: 'routing-erase',
    service: 'routing',
    filter: 'plexus.evt.*.user.erase-requested.v1.>',
    maxDeliver: -1,
    summary: 'Routing erases what it keeps of a person.',
  }),
  routingErased: consumer({
    stream: 'PLEXUS_EVT_USER',
    name: 'routing-erased',
    service: 'routing',
    filter: 'plexus.evt.*.user.erased.v1.>',
    maxDeliver: -1,
    summary: 'Routing collects the receipts of an erasure.',
  }),
  dlqAdvisories: consumer({
    stream: 'PLEXUS_ADVISORIES',
    name: 'routing-advisories',
    service: 'routing',
    filter: '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>',
    maxDeliver: -1,
    summary: 'Parks messages whose deliveries were exhausted by crashes.',
  }),
} as const satisfies Record<string, ConsumerDefinition>;

const bucket = (name: string, rest: Partial<BucketDefinition> & { summary: string }): BucketDefinition => ({
  name,
  ttlMs: 0,
  history: 1,
  maxBytes: 64 * MIB,
  ...rest,
});

export const BUCKETS = {
  config: bucket('PLEXUS_CONFIG', {
    history: 64,
    maxBytes: 256 * MIB,
    summary: 'Configuration: key `_` for the platform, `<tenant>` for each tenant. Its history is the history of the configuration.',
  }),
  configParts: bucket('PLEXUS_CONFIG_PARTS', {
    maxBytes: 256 * MIB,
    summary: 'Documents too large for one entry of PLEXUS_CONFIG, in parts: `<tenant>.<base revision>.<hash>.<n>`; uploads under `<tenant>.upload.<id>.<n>`.',
  }),
  configStatus: bucket('PLEXUS_CONFIG_STATUS', {
    ttlMs: 15 * SECOND,
    summary: 'How far each process is with the configuration: `<service>.<instance>`, renewed while it lives.',
  }),
  keys: bucket('PLEXUS_KEYS', { ttlMs: DAY, summary: 'Public halves of the keys that sign principal tokens: `<service>.<kid>`.' }),
  revocations: bucket('PLEXUS_REVOCATIONS', {
    summary: 'Revoked users, credentials and token ids; kept until somebody deletes them, because some credentials never expire.',
  }),
  presence: bucket('PLEXUS_PRESENCE', { summary: 'Connections per user, written on connect and disconnect, swept with their dead node.' }),
  nodes: bucket('PLEXUS_NODES', { ttlMs: 12 * SECOND, summary: 'One lease per gateway node.' }),
  tickets: bucket('PLEXUS_TICKETS', { ttlMs: 30 * SECOND, summary: 'One-time client tickets (hashes), redeemed by compare-and-set delete.' }),
  vmEpoch: bucket('PLEXUS_VM_EPOCH', { summary: 'vmId → current epoch; lets gateways reject early.' }),
  vmConn: bucket('PLEXUS_VM_CONN', { ttlMs: 45 * SECOND, summary: 'vmId → gateway, connection generation, epoch.' }),
  vmRequests: bucket('PLEXUS_VM_REQUESTS', {
    ttlMs: 5 * MINUTE,
    maxBytes: 256 * MIB,
    summary:
      'Requests of VMs that must not run twice, and their answers, by `<vm>.<epoch>.<request>` (names hashed): a resend finds them on any gateway. Answers to keyed HTTP writes likewise, under `http.<hash>`.',
  }),
  channelSends: bucket('PLEXUS_CHANNEL_SENDS', {
    ttlMs: DAY,
    maxBytes: 256 * MIB,
    summary: 'What channel adapters handed to their platforms, by `channel-<adapter>.<tenant>.<send>`: a repeated command is recognised by it.',
  }),
  skills: bucket('PLEXUS_SKILLS', {
    maxBytes: 256 * MIB,
    summary: 'Packages of skills that tenants uploaded: `<tenant>.<hash>`, each written once and never changed.',
  }),
  leases: bucket('PLEXUS_LEASES', { ttlMs: 30 * SECOND, summary: 'Leases for work that one replica at a time may do.' }),
} as const satisfies Record<string, BucketDefinition>;
