export { type ChatPiece, ChatStream } from './chat-stream.js';
export { type AfterClose, CLIENT_CLOSES, type ClientClose } from './close-table.js';
export { CAPABILITIES, CLIENT_CAPS, CLIENT_ERROR_CODES, CLOSE_CODES, closeReason, HANDSHAKE_DETAILS, TERMINAL_DETAILS } from './codes.js';
export { ClientInfo, ConnectChallenge, type ConnectInput, ConnectParams, HelloOk, HelloOkLoose } from './connect.js';
export { AgentEvent, ChatEvent, ChatMessage, InboxItemEvent, messageText, ShutdownEvent, TickEvent, textMessage } from './events.js';
export {
  type ErrorShape,
  EventFrame,
  encodeEvent,
  encodeEventHead,
  encodeEventTail,
  encodeFailure,
  encodeResult,
  encodeResultJson,
  MINIMUM_PROBE_PROTOCOL_VERSION,
  PROTOCOL_VERSION,
  RequestFrame,
  ResponseFrame,
  ServerFrame,
  type StateVersion,
  StrictServerFrame,
} from './frames.js';
export { type ChatSendInput, type ClientState, GatewayClient, type GatewayClientOptions } from './gateway-client.js';
export { GatewayError } from './gateway-error.js';
export type { SocketLike } from './gateway-link.js';
export { CronJobInput } from './cron-methods.js';
export { SCOPE } from './define-method.js';
export { EVENTS, isMethodName, type MethodInput, type MethodName, type MethodParams, METHODS, scopeOfEvent } from './methods.js';
export type { RequestOptions } from './pending-requests.js';
export { DEFAULT_RECONNECT, type ReconnectPolicy, reconnectDelay } from './reconnect.js';
