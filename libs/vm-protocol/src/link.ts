// What holds a connection needs before the first frame is read: bookkeeping, limits, codes and boxes, without a schema. A runtime that has just
// been started loads this, says who it is, and loads the schemas (`.`) while the mesh looks at its credentials.
export { type ApiKeysAddress, openApiKeys, openPlainKey, type PlainKeyAddress, sealApiKeys, sealPlainKey } from './api-keys.js';
export { CLOSE_CODES, type CloseCode, EXIT_CODES, type ReconnectPolicy, reconnectPolicy } from './close-codes.js';
export type { FrameProblem, FrameProblemCode } from './decode-frame.js';
export { FrameReceiver, type FrameReceiverOptions, type NumberedFrame, type Received } from './frame-receiver.js';
export { type Attached, FrameSender, type FrameSenderOptions, type OutgoingFrame, withFack } from './frame-sender.js';
export { LIMITS } from './limits.js';
export type { MeshFrame, MeshFrameOf, MeshFrameType } from './mesh-frames.js';
export { BadFrameBudget, TokenBucket } from './rate.js';
export { type EndedRequest, type RequestAnswer, RequestBook } from './request-book.js';
export { type BoxAddress, openBox, sealBox } from './sealed-box.js';
export { RECONNECT_ALERT_AFTER, reconnectDelayMs } from './reconnect-delay.js';
export { sampledTrace } from './traceparent.js';
export type { SessionReport, VmFrame, VmFrameOf, VmFrameType } from './vm-frames.js';
export type { VmSpan } from './vm-spans.js';
