export * as channelContracts from './channel.contracts.js';
export { CHANNEL_ADAPTERS, type ChannelAdapter, fromAdapter, sendCommandFor } from './channel.contracts.js';
export { type CloudEvent as CloudEventOf, CloudEvent, NotableData, Severity } from './cloud-event.js';
export * from './common.js';
export * as auditContracts from './audit.contracts.js';
export { AUDITED, auditedFields, auditTarget, NOT_AUDITED } from './audit.contracts.js';
export * as configContracts from './config.contracts.js';
export {
  type CommandContract,
  type Contract,
  type DataOf,
  defineCommand,
  defineEvent,
  defineInbound,
  defineLive,
  defineRpc,
  type EventContract,
  type InboundContract,
  type InputOf,
  type LiveContract,
  type ReplyOf,
  type ResponseOf,
  type LogContract,
  type RpcContract,
} from './define.js';
export { ERROR_CODES, type ErrorCode, type ErrorCodeDefinition } from './error-codes.js';
export { errors, plexusError } from './errors.js';
export { type JsonSchema, payloadSchema, wireSchema } from './generate/json-schema.js';
export * as gatewayContracts from './gateway.contracts.js';
export * as gatewayNodeContracts from './gateway-nodes.contracts.js';
export { HEADERS } from './headers.js';
export * as mcpContracts from './mcp.contracts.js';
export { ArchiveDigest, fittingLines, manifestLine, pagesOfLines, readManifestLine } from './memory-archive-file.js';
export * as memoryArchiveContracts from './memory-archive.contracts.js';
export * as memoryContracts from './memory.contracts.js';
export * as memorySessionContracts from './memory-session.contracts.js';
export { integratorConsumer, integratorInbox, integratorName, integratorPermissions, type Permissions, permissionsFor } from './permissions.js';
export { hasScope, Principal, PrincipalRole, SCOPES, TenantId } from './principal.js';
export * as memorySimilarityContracts from './memory-similarity.contracts.js';
export { MeshBucket, MeshConsumer, MeshEndpoint, MeshReplica, MeshService, MeshStream, MeshView } from './mesh-view.js';
export * as pushContracts from './push.contracts.js';
export * as pushDeliveryContracts from './push-delivery.contracts.js';
export {
  importSubscriptionPages,
  type RefusedRow,
  type SubscriptionImportPage,
  type SubscriptionImportSummary,
  type SubscriptionLine,
  subscriptionLine,
  subscriptionPages,
} from './push-import.js';
export * as pushLogContracts from './push-log.contracts.js';
export * as pushManageContracts from './push-manage.contracts.js';
export { ChannelStep, PolicyMatch, Priority, PushPolicy, type PushPolicyText } from './push-policy.js';
export { PolicyTest, TestEvent, TestStep } from './push-policy-test.js';
export * as pushPolicyContracts from './push-policy.contracts.js';
export * as pushTriggersContracts from './push-triggers.contracts.js';
export { CONTRACTS, contractName, findContract } from './registry.js';
export { channelRole, ROLES, type RoleDefinition } from './roles.js';
export * as routingContracts from './routing.contracts.js';
export * as runContracts from './run.contracts.js';
export * as sessionContracts from './session.contracts.js';
export {
  type DropReason,
  emptySessionStream,
  REMEMBERED_RUNS,
  type RunEnd,
  type RunProgress,
  readSessionEvent,
  runEnd,
  type SessionStreamEvent,
  type SessionStreamState,
  type StreamVerdict,
  streamedText,
} from './session-stream.js';
export * as skillContracts from './skill.contracts.js';
export {
  buildSubject,
  decodeToken,
  encodeToken,
  isTenantId,
  NO_TENANT,
  type ParsedSubject,
  parseSubject,
  SUBJECT_KINDS,
  SUBJECT_PREFIX,
  SubjectError,
  type SubjectKind,
} from './subject.js';
export { BUCKETS, type BucketDefinition, channelConsumer, type ConsumerDefinition, CONSUMERS, type StreamDefinition, STREAMS } from './topology.js';
export * as vmContracts from './vm.contracts.js';
