export * from './link.js';
export { type DecodeOptions, decodeMeshFrame, decodeVmFrame } from './decode-frame.js';
export { type FrameClass, frameClass } from './frame-class.js';
export { AgentSettings, Encrypted, HistoryMessage, historyText, SkillIndexEntry } from './frame-parts.js';
export { MCP_ENVIRONMENT_PURPOSE, MCP_LIST_TOOLS, McpServerEntry } from './mcp-server.js';
export { MEMORY_TYPES, memoryKindOf, type MemoryKindName } from './memory-kind.js';
export {
  MESH_FRAMES,
  MessageAttachment,
  MessageMetadata,
  FallbackModelOffer,
  ModelEndpointOffer,
  MODEL_ENDPOINT_PURPOSE,
  StartSessionData,
} from './mesh-frames.js';
export {
  AuditLogParams,
  EvolutionSubmitParams,
  GetAttachmentParams,
  GetAttachmentResult,
  GetConfigParams,
  GetConfigResult,
  DispatchAndNotifyParams,
  DispatchResearchParams,
  DispatchResult,
  DispatchStatusParams,
  DispatchStatusResult,
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
  NotifyUserParams,
  NotifyUserResult,
  type ParamsOf,
  REQUEST_METHODS,
  type RequestMethod,
  type ResultOf,
  SnapshotSyncParams,
  TELL_METHODS,
  type TellMethod,
  UsageReportParams,
} from './methods.js';
export { isRunEnd, RunEventData, type RuntimeEvent, type Usage } from './run-event.js';
export { SessionReport, VM_FRAMES } from './vm-frames.js';
export { SpansFrame, VmSpan } from './vm-spans.js';
export { hashSkillFiles, type SkillBytes, SkillPackageAnswer, skillPathProblem, skillPathsProblem } from './skill-package.js';
