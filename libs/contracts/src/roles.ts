import * as audit from './audit.contracts.js';
import * as config from './config.contracts.js';
import { CHANNEL_ADAPTERS, accountState, fromAdapter, messageReceived, sendCommandFor, sendFailed, sendSucceeded } from './channel.contracts.js';
import type { Contract } from './define.js';
import * as gateway from './gateway.contracts.js';
import * as gatewayNodes from './gateway-nodes.contracts.js';
import * as mcp from './mcp.contracts.js';
import * as memory from './memory.contracts.js';
import * as memoryArchive from './memory-archive.contracts.js';
import * as memorySession from './memory-session.contracts.js';
import * as memorySimilarity from './memory-similarity.contracts.js';
import * as push from './push.contracts.js';
import * as pushDelivery from './push-delivery.contracts.js';
import * as pushLog from './push-log.contracts.js';
import * as pushManage from './push-manage.contracts.js';
import * as pushPolicy from './push-policy.contracts.js';
import * as pushTriggers from './push-triggers.contracts.js';
import * as routing from './routing.contracts.js';
import * as run from './run.contracts.js';
import * as session from './session.contracts.js';
import * as skill from './skill.contracts.js';
import { BUCKETS, type BucketDefinition, CONSUMERS, channelConsumer, type ConsumerDefinition } from './topology.js';
import * as vm from './vm.contracts.js';

/** What one NATS role may do; the permission templates in `proto/nats` and the embedded server's users are printed from this. */
export interface RoleDefinition {
  readonly name: string;
  readonly summary: string;
  /** RPCs that it answers. */
  readonly serves: readonly Contract[];
  /** RPCs that it calls. */
  readonly calls: readonly Contract[];
  /** Events, commands and live frames that it publishes. */
  readonly publishes: readonly Contract[];
  /** Live frames that it subscribes to. */
  readonly listens: readonly Contract[];
  readonly consumes: readonly ConsumerDefinition[];
  /** Streams that it reads with ordered (ephemeral) consumers. */
  readonly reads: readonly string[];
  readonly bucketsRead: readonly BucketDefinition[];
  readonly bucketsWritten: readonly BucketDefinition[];
  /** Publish subjects beyond what follows from the contracts, each with its reason. */
  readonly extraPublish?: readonly { readonly subject: string; readonly reason: string }[];
  /** Publish subjects that it may not use although a wider one is allowed, each with its reason. */
  readonly denied?: readonly { readonly subject: string; readonly reason: string }[];
}

/** Every RPC that a module of contracts declares. */
function rpcsOf(module: object): Contract[] {
  return Object.values(module).filter((one): one is Contract => typeof one === 'object' && one !== null && 'kind' in one && one.kind === 'rpc');
}

const routingRpcs = [
  routing.acceptMessage,
  routing.getHistory,
  routing.listSessions,
  routing.describeSession,
  routing.createSession,
  routing.resetSession,
  routing.injectMessage,
  routing.cancelRun,
  routing.getRun,
  routing.resolveRoute,
  routing.listAgents,
  routing.sessionForUser,
  routing.explainRoute,
  routing.resolveOutbound,
  routing.shareSession,
  routing.unshareSession,
  routing.listGrants,
  routing.sessionAccess,
  routing.patchSession,
  routing.deleteSession,
  routing.previewSessions,
  routing.exportSession,
  routing.migrateSessionKeys,
  routing.importSession,
  routing.listPairings,
  routing.approvePairing,
  routing.rejectPairing,
  routing.sendMessage,
  routing.getSend,
  routing.channelHealth,
  routing.eraseUser,
  routing.getErasure,
  routing.listDeadLetters,
  routing.getDeadLetter,
  routing.redriveDeadLetters,
  routing.dropDeadLetters,
  routing.storeAttachment,
  routing.readAttachment,
];
const vmCallerRpcs = [
  vm.ensureVm,
  vm.getVm,
  vm.listVms,
  vm.terminateVm,
  vm.pauseVm,
  vm.resumeVm,
  vm.touchVm,
  vm.drainVm,
  vm.vmLogs,
  vm.whyVm,
  vm.vmHistory,
  vm.usageByDay,
  vm.endVmSession,
  vm.attachExternalVm,
  vm.listHosts,
  vm.drainHost,
  vm.putVmSecret,
  vm.listVmSecrets,
  vm.deleteVmSecret,
];
const vmGatewayRpcs = [
  vm.redeemTicket,
  vm.verifyVmToken,
  vm.refreshVmToken,
  vm.attachVm,
  vm.detachVm,
  vm.beatVms,
  vm.readOutbox,
  vm.ackOutbox,
  vm.submitVmFrame,
  vm.markVmInbox,
];
const skillRpcs = [skill.uploadSkill, skill.listSkills, skill.getSkill, skill.deleteSkill, skill.skillPackage];
const mcpRpcs = [mcp.listMcpTools, mcp.callMcpTool];
const pushRpcs = [push, pushDelivery, pushManage, pushPolicy, pushTriggers].flatMap((module) => rpcsOf(module));
const configRpcs = [
  config.getConfig,
  config.applyConfig,
  config.patchConfig,
  config.checkConfig,
  config.diffConfig,
  config.configHistory,
  config.rollbackConfig,
  config.configStatus,
];
const memoryRpcs = [
  memory.writeMemory,
  memory.searchMemory,
  memory.getMemory,
  memory.listMemories,
  memory.updateMemory,
  memory.deleteMemory,
  memory.memoryStats,
  memorySession.appendSession,
  memorySession.flushSession,
  memorySession.compactSession,
  memorySession.sessionMessages,
  memorySession.putState,
  memorySession.appendState,
  memorySession.getState,
  memorySession.listState,
  memorySession.deleteState,
  memoryArchive.exportMemories,
  memoryArchive.importMemories,
  memoryArchive.purgeMemories,
  memoryArchive.checkPurgeReceipt,
  memorySimilarity.similarity,
];

/** Streams that durable consumers work through: nothing else can be left undelivered. */
function consumedStreams(): string[] {
  return [...new Set(Object.values(CONSUMERS).map((one) => one.stream))];
}

/** What a parked message may be published to again: whatever a durable consumer reads. Advisories are the server's own. */
function redrivable(): string[] {
  return [...new Set(Object.values(CONSUMERS).map(({ filter }) => filter))].filter((filter) => filter.startsWith('plexus.'));
}

const common: readonly BucketDefinition[] = [BUCKETS.config, BUCKETS.configParts, BUCKETS.keys, BUCKETS.revocations];

/** The role of one channel adapter: it speaks as its own source, works on its own sends, and nothing else. */
export function channelRole(adapter: string): RoleDefinition {
  return {
    name: `channel-${adapter}`,
    summary: `Connects accounts of ${adapter}. Publishes under the source token ${adapter} only.`,
    serves: [],
    calls: [],
    publishes: [messageReceived, sendSucceeded, sendFailed, accountState].map((contract) => fromAdapter(contract, adapter)),
    listens: [],
    consumes: [channelConsumer(adapter)],
    reads: [],
    bucketsRead: common,
    bucketsWritten: [BUCKETS.keys, BUCKETS.channelSends],
  };
}

export const ROLES: readonly RoleDefinition[] = [
  {
    name: 'gateway',
    summary: 'Sockets and HTTP. Calls the owners of every method; may publish foreign events on behalf of authenticated HTTP callers.',
    serves: [],
    calls: [...routingRpcs, ...vmCallerRpcs, ...vmGatewayRpcs, ...pushRpcs, ...memoryRpcs, ...configRpcs, ...skillRpcs, ...mcpRpcs],
    publishes: [session.sessionEvent, memory.writeMemoryCommand, audit.auditRecorded, ...Object.values(gateway), ...Object.values(gatewayNodes)],
    listens: [vm.vmOut, push.inboxItemHint, push.inboxChangedHint, ...Object.values(gateway), ...Object.values(gatewayNodes)],
    consumes: [],
    reads: ['PLEXUS_EVT_SESSION'],
    bucketsRead: [...common, BUCKETS.vmEpoch],
    bucketsWritten: [BUCKETS.keys, BUCKETS.presence, BUCKETS.nodes, BUCKETS.tickets, BUCKETS.vmConn, BUCKETS.vmRequests, BUCKETS.configParts],
    extraPublish: [
      { subject: 'plexus.in.>', reason: 'events posted to /v1/events enter under the source that the credential proves, else under `http`' },
      { subject: '$JS.API.STREAM.INFO.PLEXUS_IN', reason: 'checks at its start that the stream of those events exists' },
      { subject: '$SRV.STATS', reason: 'the map of the mesh: asks every replica how it is' },
      { subject: '$JS.API.STREAM.LIST', reason: 'the map of the mesh: how much the streams hold' },
      { subject: '$JS.API.CONSUMER.LIST.*', reason: 'the map of the mesh: how far behind consumers are' },
    ],
    denied: [...CHANNEL_ADAPTERS, 'push'].map((source) => ({
      subject: `plexus.in.*.${source}.>`,
      reason: 'what channels and push state is believed to be theirs',
    })),
  },
  {
    name: 'routing',
    summary: 'Sessions, transcripts and runs.',
    serves: [...routingRpcs, ...configRpcs],
    calls: [],
    publishes: [
      session.sessionEvent,
      session.sessionMessage,
      session.sessionChanged,
      config.configChanged,
      audit.auditRecorded,
      run.startRun,
      run.cancelRunCommand,
      run.steerRun,
      ...CHANNEL_ADAPTERS.map(sendCommandFor),
      routing.breakerOpened,
      routing.breakerHalfOpened,
      routing.breakerClosed,
      routing.eraseRequested,
      routing.userErased,
    ],
    listens: [],
    consumes: [
      CONSUMERS.routingSessionEnds,
      CONSUMERS.routingInbound,
      CONSUMERS.routingSendSucceeded,
      CONSUMERS.routingSendFailed,
      CONSUMERS.routingErase,
      CONSUMERS.routingErased,
      CONSUMERS.dlqAdvisories,
    ],
    reads: ['PLEXUS_EVT_SESSION', 'PLEXUS_DLQ'],
    bucketsRead: [...common, BUCKETS.vmEpoch],
    bucketsWritten: [BUCKETS.config, BUCKETS.configParts, BUCKETS.keys, BUCKETS.leases],
    extraPublish: [
      ...consumedStreams().flatMap((stream) => [
        { subject: `$JS.API.STREAM.MSG.GET.${stream}`, reason: 'loads what a crashing worker left undelivered, to park it' },
        { subject: `$JS.API.STREAM.MSG.DELETE.${stream}`, reason: 'removes a parked message from its work queue' },
      ]),
      { subject: 'plexus.dlq.>', reason: 'parks on behalf of the consumer that failed' },
      {
        subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_DLQ',
        reason: 'removes dead letters that an administrator sent again or dropped, and those of a person who is forgotten',
      },
      ...redrivable().map((subject) => ({ subject, reason: 'sends a dead letter again where it came from, when an administrator says so' })),
      { subject: 'plexus.cmd.*.channel.>', reason: 'adapters that are not part of Plexus work on commands of their own name' },
    ],
  },
  {
    name: 'push',
    summary: 'Subscriptions, decisions, inbox.',
    serves: pushRpcs,
    calls: [
      routing.acceptMessage,
      routing.injectMessage,
      routing.sessionForUser,
      routing.createSession,
      routing.getRun,
      routing.cancelRun,
      routing.describeSession,
      memorySimilarity.similarity,
    ],
    publishes: [
      push.delivered,
      audit.auditRecorded,
      push.inboxItemHint,
      push.inboxChangedHint,
      pushDelivery.deliverCommand,
      ...Object.values(pushLog.PUSH_LOG),
      // What schedules and dispatch rules state enters like anybody's events, under a source token of its own.
      ...[pushTriggers.scheduleFired, pushTriggers.researchFinished].map((contract) => fromAdapter(contract, 'push')),
      routing.userErased,
    ],
    listens: [],
    consumes: [
      CONSUMERS.pushIn,
      CONSUMERS.pushVmEvents,
      CONSUMERS.pushRoutingEvents,
      CONSUMERS.pushMemoryEvents,
      CONSUMERS.pushConfigEvents,
      CONSUMERS.pushDeliver,
      CONSUMERS.pushErase,
    ],
    reads: ['PLEXUS_PUSH_LOG', 'PLEXUS_EVT_SESSION'],
    bucketsRead: common,
    bucketsWritten: [BUCKETS.keys, BUCKETS.leases],
    extraPublish: [
      ...['PLEXUS_IN', 'PLEXUS_EVT_VM', 'PLEXUS_EVT_ROUTING', 'PLEXUS_EVT_MEMORY', 'PLEXUS_EVT_CONFIG'].map((stream) => ({
        subject: `$JS.API.STREAM.MSG.GET.${stream}`,
        reason: 'explains what became of an event that concerned nobody: reads it by its position',
      })),
      { subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_PUSH_LOG', reason: 'forgets a person: removes the entries about them from its log' },
      { subject: '$JS.API.STREAM.MSG.GET.PLEXUS_CMD_PUSH', reason: 'forgets a person: finds their deliveries that are still on their way' },
      { subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_CMD_PUSH', reason: 'forgets a person: removes their deliveries that are still on their way' },
      { subject: '$JS.API.STREAM.MSG.GET.PLEXUS_EVT_PUSH', reason: 'forgets a person: finds what it stated about their deliveries' },
      { subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_EVT_PUSH', reason: 'forgets a person: removes what it stated about their deliveries' },
      { subject: '$JS.API.STREAM.MSG.GET.PLEXUS_DLQ', reason: 'forgets a person: finds their deliveries and inputs that were parked' },
      { subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_DLQ', reason: 'forgets a person: removes their deliveries and inputs that were parked' },
      { subject: 'plexus.dlq.*.push.push-decider.v1.>', reason: 'parks an input of its log that it cannot decide' },
    ],
  },
  {
    name: 'memory',
    summary: 'Write, remember, search.',
    serves: memoryRpcs,
    calls: [],
    publishes: [memory.memoryWritten, memory.embedMemoryCommand, audit.auditRecorded, routing.userErased],
    listens: [],
    consumes: [CONSUMERS.memoryWrite, CONSUMERS.memoryEmbed, CONSUMERS.memoryErase, CONSUMERS.memorySessions, CONSUMERS.memorySessionChanges],
    reads: [],
    bucketsRead: common,
    bucketsWritten: [BUCKETS.keys, BUCKETS.leases],
    extraPublish: [
      { subject: '$JS.API.STREAM.MSG.GET.PLEXUS_CMD_MEMORY', reason: 'finds the waiting writes of a purged user or scope' },
      { subject: '$JS.API.STREAM.MSG.DELETE.PLEXUS_CMD_MEMORY', reason: 'removes them' },
    ],
  },
  {
    name: 'scheduler',
    summary: 'One VM per owner.',
    serves: [...vmCallerRpcs, ...vmGatewayRpcs, ...skillRpcs, ...mcpRpcs],
    calls: [],
    publishes: [audit.auditRecorded, vm.vmStateChanged, vm.vmOut, vm.vmWake, session.sessionEvent, memory.writeMemoryCommand, routing.userErased],
    listens: [vm.vmWake],
    consumes: [CONSUMERS.schedulerRun, CONSUMERS.schedulerSessionEnds, CONSUMERS.schedulerSessionChanges, CONSUMERS.schedulerErase],
    reads: ['PLEXUS_EVT_SESSION'],
    bucketsRead: common,
    bucketsWritten: [BUCKETS.keys, BUCKETS.vmEpoch, BUCKETS.leases, BUCKETS.skills],
  },
  ...CHANNEL_ADAPTERS.map(channelRole),
];
