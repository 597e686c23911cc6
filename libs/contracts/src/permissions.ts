import type { Contract } from './define.js';
import { ROLES, type RoleDefinition } from './roles.js';
import { isTenantId, SubjectError } from './subject.js';
import { BUCKETS, type BucketDefinition, type ConsumerDefinition, CONSUMERS, STREAMS } from './topology.js';

/** NATS subject permissions of one user, in the server's own terms. */
export interface Permissions {
  /** What is denied wins over what is allowed. */
  readonly publish: { readonly allow: readonly string[]; readonly deny?: readonly string[] };
  readonly subscribe: { readonly allow: readonly string[] };
  /** May answer on the reply subject of a message that it received (once, within two minutes). */
  readonly allowResponses: boolean;
}

const patterns = (contracts: readonly Contract[]): string[] => contracts.map((contract) => contract.pattern());

/** Reading a stream with an ephemeral ordered consumer, or message by message. */
function readStream(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.DIRECT.GET.${stream}.>`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.*`,
    `$JS.API.CONSUMER.DELETE.${stream}.*`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.*`,
    `$JS.FC.${stream}.>`,
  ];
}

/**
 * Ephemeral consumers have names that nobody knows before, so whoever reads a stream may use any name there. Durable consumers of the same
 * stream are other people's work: their messages are taken by their owner only, and only the operator changes or removes them.
 */
function othersConsumers(role: RoleDefinition): string[] {
  return Object.values(CONSUMERS)
    .filter(({ stream }) => role.reads.includes(stream))
    .flatMap(({ stream, name }) => [
      `$JS.API.CONSUMER.CREATE.${stream}.${name}`,
      `$JS.API.CONSUMER.CREATE.${stream}.${name}.>`,
      `$JS.API.CONSUMER.DELETE.${stream}.${name}`,
      ...(role.consumes.some((own) => own.name === name) ? [] : [`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`]),
    ]);
}

/** A service checks at its start that the streams it publishes into exist. */
function streamInfo(contract: Contract): string[] {
  const patterns = [`plexus.${contract.kind}.*.${contract.domain}.>`, `plexus.${contract.kind}.>`];
  return STREAMS.filter((stream) => stream.subjects.some((subject) => patterns.includes(subject))).map((stream) => `$JS.API.STREAM.INFO.${stream.name}`);
}

function writeBucket(bucket: BucketDefinition, role: string): string {
  // A service may publish only its own public keys: a stolen credential must not let it pose as another issuer, nor hide another's sends.
  return bucket === BUCKETS.keys || bucket === BUCKETS.channelSends ? `$KV.${bucket.name}.${role}.>` : `$KV.${bucket.name}.>`;
}

/** Every process reports how far it is with the configuration, and takes its turn when replicas restart one after another. */
function reloading(role: string): string[] {
  return [
    ...readStream(`KV_${BUCKETS.configStatus.name}`),
    ...readStream(`KV_${BUCKETS.leases.name}`),
    `$KV.${BUCKETS.configStatus.name}.${role}.>`,
    `$KV.${BUCKETS.leases.name}.restart.${role}`,
  ];
}

/** Everything that the contracts let a role do, and nothing else. */
export function permissionsFor(role: RoleDefinition): Permissions {
  const buckets = [...new Set([...role.bucketsRead, ...role.bucketsWritten])];
  const publish = [
    ...patterns(role.calls),
    ...patterns(role.publishes),
    ...role.publishes.flatMap(streamInfo),
    ...role.consumes.flatMap((consumer) => [
      `$JS.API.STREAM.INFO.${consumer.stream}`,
      `$JS.API.CONSUMER.INFO.${consumer.stream}.${consumer.name}`,
      `$JS.API.CONSUMER.MSG.NEXT.${consumer.stream}.${consumer.name}`,
      `$JS.ACK.${consumer.stream}.${consumer.name}.>`,
      `plexus.dlq.*.*.${consumer.name}.v1.>`,
      '$JS.API.STREAM.INFO.PLEXUS_DLQ',
    ]),
    ...role.reads.flatMap(readStream),
    ...buckets.flatMap((bucket) => readStream(`KV_${bucket.name}`)),
    ...role.bucketsWritten.map((bucket) => writeBucket(bucket, role.name)),
    ...reloading(role.name),
    ...(role.extraPublish ?? []).map((extra) => extra.subject),
    '$JS.API.INFO',
  ];
  const subscribe = [
    `_INBOX_${role.name}.>`,
    ...patterns(role.serves),
    ...patterns(role.listens),
    '$SRV.PING',
    '$SRV.INFO',
    '$SRV.STATS',
    `$SRV.*.${role.name}`,
    `$SRV.*.${role.name}.*`,
  ];
  const deny = [...othersConsumers(role), ...(role.denied ?? []).map(({ subject }) => subject)];
  return {
    publish: { allow: unique(publish), ...(deny.length === 0 ? {} : { deny: unique(deny) }) },
    subscribe: { allow: unique(subscribe) },
    allowResponses: true,
  };
}

/**
 * An integrator of one tenant: publishes events under its own source token, calls the RPCs that people call, reads the granted
 * event domains. The permission is the proof of source and tenant. Answers arrive under an inbox prefix of its own, which its client must
 * be told (`inboxPrefix`): whoever may listen to a shared one overhears the others.
 */
export function integratorPermissions(
  tenant: string,
  source: string,
  granted: readonly string[] = [],
  inbox = integratorInbox(tenant, source),
  /** Domains that it also reads through a durable consumer of its own ({@link integratorConsumer}). */
  durable: readonly string[] = [],
): Permissions {
  checkIntegrator(tenant, source);
  const consumers = durable.map((domain) => integratorConsumer(tenant, source, domain));
  const rpcs = ROLES.flatMap((role) => role.serves).filter((contract) => contract.domain !== 'vm');
  return {
    publish: {
      allow: unique([
        `plexus.in.${tenant}.${source}.>`,
        ...rpcs.map((contract) => contract.pattern(tenant)),
        ...consumers.flatMap(({ stream, name }) => [
          `$JS.API.CONSUMER.INFO.${stream}.${name}`,
          `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
          `$JS.ACK.${stream}.${name}.>`,
          `plexus.dlq.${tenant}.*.${name}.v1.>`,
        ]),
      ]),
    },
    subscribe: { allow: unique([`${inbox}.>`, ...granted.map((domain) => `plexus.evt.${tenant}.${domain}.>`)]) },
    allowResponses: false,
  };
}

/** A name of one integrator that no other pair of tenant and source has: both may contain hyphens, so the length of the first is part of it. */
export function integratorName(tenant: string, source: string): string {
  return `integrator-${tenant.length}-${tenant}-${source}`;
}

/** Inbox prefix of an integrator: where its answers arrive, and where nobody else may listen. */
export function integratorInbox(tenant: string, source: string): string {
  return `_INBOX_.${tenant}.${source}`;
}

/**
 * The durable consumer with which one integrator reads one domain of its tenant's facts, at least once and across its own restarts. An
 * operator creates it; the filter keeps it inside the tenant, and an integrator can neither create nor change one.
 */
export function integratorConsumer(tenant: string, source: string, domain: string): ConsumerDefinition {
  checkIntegrator(tenant, source);
  const stream = STREAMS.find(({ subjects }) => subjects.includes(`plexus.evt.*.${domain}.>`));
  if (stream === undefined) throw new SubjectError(`no stream keeps the facts of ${JSON.stringify(domain)}`);
  return {
    stream: stream.name,
    name: `${integratorName(tenant, source)}-${domain}`,
    service: source,
    filter: `plexus.evt.${tenant}.${domain}.>`,
    ackWaitMs: 10_000,
    maxDeliver: 20,
    maxAckPending: 256,
    deliver: 'new',
    summary: `What ${source} of ${tenant} reads of ${domain}.`,
  };
}

function checkIntegrator(tenant: string, source: string): void {
  if (!isTenantId(tenant)) throw new SubjectError(`not a tenant id: ${JSON.stringify(tenant)}`);
  if (!isTenantId(source)) throw new SubjectError(`not a source token: ${JSON.stringify(source)}`);
}

function unique(subjects: readonly string[]): string[] {
  return [...new Set(subjects)].sort();
}
