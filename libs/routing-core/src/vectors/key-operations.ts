import { canonicalKey, canonicalMainAlias, migrateStoreKey, tenantMainKey } from '../canonical-key.js';
import { contextSessionKey, groupSession } from '../inbound-context.js';
import { isValidAgentId, normaliseAccountId, normaliseAgentId, normaliseMainKey } from '../normalise.js';
import * as parse from '../parse-session-key.js';
import { groupHistoryKey, mainSessionKey, peerSessionKey, threadSession } from '../session-key.js';
import { chatTypeOfKey, looksLikeSessionKey, parseGroupKey, sessionKind, toolSessionKind } from '../session-kind.js';
import type { Operation } from './operation.js';

/** Operations of `session-key.json` and `identity-links.json` by the name that the vectors use. */
export const KEY_OPERATIONS: Readonly<Record<string, Operation>> = {
  normalizeAgentId: ({ value }) => normaliseAgentId(value),
  normalizeAccountId: ({ value }) => normaliseAccountId(value),
  normalizeMainKey: ({ value }) => normaliseMainKey(value),
  isValidAgentId: ({ value }) => isValidAgentId(value),
  buildAgentMainSessionKey: ({ agentId, mainKey }) => mainSessionKey(agentId, mainKey),
  buildAgentPeerSessionKey: (input) => peerSessionKey(input as never),
  buildGroupHistoryKey: (input) => groupHistoryKey(input as never),
  resolveThreadSessionKeys: (input) => threadSession(input as never),
  parseThreadSessionSuffix: ({ sessionKey }) => parse.splitThread(sessionKey),
  parseAgentSessionKey: ({ sessionKey }) => parse.parseAgentKey(sessionKey),
  isSubagentSessionKey: ({ sessionKey }) => parse.isSubagentKey(sessionKey),
  isAcpSessionKey: ({ sessionKey }) => parse.isAcpKey(sessionKey),
  isCronSessionKey: ({ sessionKey }) => parse.isCronKey(sessionKey),
  getSubagentDepth: ({ sessionKey }) => parse.subagentDepth(sessionKey),
  resolveThreadParentSessionKey: ({ sessionKey }) => parse.threadParent(sessionKey),
  toAgentRequestSessionKey: ({ storeKey }) => parse.requestKey(storeKey),
  toAgentStoreSessionKey: (input) => parse.storeKey(input as never),
  resolveAgentIdFromSessionKey: ({ sessionKey }) => parse.agentIdOfKey(sessionKey),
  classifySessionKeyShape: ({ sessionKey }) => parse.keyShape(sessionKey),
  deriveSessionChatTypeFromKey: ({ sessionKey }) => chatTypeOfKey(sessionKey),
  resolveMainSessionKey: ({ config }) => tenantMainKey(config),
  canonicalizeMainSessionAlias: ({ config, agentId, sessionKey }) => canonicalMainAlias(config, agentId, sessionKey),
  resolveSessionStoreKey: ({ config, sessionKey }) => canonicalKey(config, sessionKey),
  migrateSessionStoreKey: (input) => migrateStoreKey(input as never),
  resolveGroupSessionKey: ({ ctx }) => groupSession(ctx),
  resolveSessionKey: ({ scope, ctx, mainKey }) => contextSessionKey({ scope, context: ctx, mainKey }),
  classifySessionKey: ({ sessionKey, entry }) => sessionKind(sessionKey, entry),
  parseGroupKey: ({ sessionKey }) => parseGroupKey(sessionKey),
  classifySessionKind: ({ sessionKey, alias, mainKey }) => toolSessionKind(sessionKey, alias, mainKey),
  looksLikeSessionKey: ({ value }) => looksLikeSessionKey(value),
};
