export { type ApiKeysAddress, openApiKeys, openPlainKey, type PlainKeyAddress, sealApiKeys, sealPlainKey } from './api-keys.js';
export { CLOSE_CODES, type CloseCode, EXIT_CODES, type ReconnectPolicy, reconnectPolicy } from './close-codes.js';
export { type DecodeOptions, decodeMeshFrame, decodeVmFrame, type FrameProblem, type FrameProblemCode } from './decode-frame.js';
export { type FrameClass, frameClass } from './frame-class.js';
export { AgentSettings, Encrypted, HistoryMessage, historyText, SkillIndexEntry } from './frame-parts.js';
export { FrameReceiver, type FrameReceiverOptions, type NumberedFrame, type Received } from './frame-receiver.js';
export { type Attached, FrameSender, type FrameSenderOptions, type OutgoingFrame, withFack } from './frame-sender.js';
export { LIMITS } from './limits.js';
export { MCP_ENVIRONMENT_PURPOSE, MCP_LIST_TOOLS, McpServerEntry } from './mcp-server.js';
export { MEMORY_TYPES, memoryKindOf, type MemoryKindName } from './memory-kind.js';
export {
  MESH_FRAMES,
  type MeshFrame,
  type MeshFrameOf,
  type MeshFrameType,
  MessageMetadata,
  FallbackModelOffer,
  ModelEndpointOffer,
  MODEL_ENDPOINT_PURPOSE,
  StartSessionData,
} from './mesh-frames.js';
export {
  AuditLogParams,
  EvolutionSubmitParams,
  GetConfigParams,
  GetConfigResult,
  GetSessionParams,
  GetSessionResult,
  GetSkillPackageParams,
  isRequestMethod,
  isTellMethod,
  McpCallParams,
  McpCallResult,
  MemorySearchParams,
  MemorySearchResult,
  MemoryWriteParams,
  MemoryWriteResult,
  type ParamsOf,
  REQUEST_METHODS,
  type RequestMethod,
  type ResultOf,
  SnapshotSyncParams,
  TELL_METHODS,
  type TellMethod,
  UsageReportParams,
} from './methods.js';
export { BadFrameBudget, TokenBucket } from './rate.js';
export { type EndedRequest, type RequestAnswer, RequestBook } from './request-book.js';
export { type BoxAddress, openBox, sealBox } from './sealed-box.js';
export { RECONNECT_ALERT_AFTER, reconnectDelayMs } from './reconnect-delay.js';
export { isRunEnd, RunEventData, type RuntimeEvent, type Usage } from './run-event.js';
export { SessionReport, VM_FRAMES, type VmFrame, type VmFrameOf, type VmFrameType } from './vm-frames.js';
export { hashSkillFiles, type SkillBytes, SkillPackageAnswer, skillPathProblem, skillPathsProblem } from './skill-package.js';
