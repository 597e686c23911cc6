import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as core from '../src/index.js';

interface Vector {
  readonly name: string;
  readonly op?: string;
  // Each operation names its own fields; the file is data, not code.
  // biome-ignore lint/suspicious/noExplicitAny: read from JSON
  readonly input: Record<string, any>;
  readonly expected: unknown;
  readonly alternative?: unknown;
}

const load = (file: string): Vector[] => JSON.parse(readFileSync(path.join(import.meta.dirname, 'vectors', file), 'utf8'));
const orNull = (value: unknown): unknown => (value === undefined ? null : value);

/** Every operation of session-key.json that is implemented. */
const OPERATIONS: Record<string, (input: Vector['input']) => unknown> = {
  normalizeAgentId: ({ value }) => core.normaliseAgentId(value),
  normalizeAccountId: ({ value }) => core.normaliseAccountId(value),
  normalizeMainKey: ({ value }) => core.normaliseMainKey(value),
  isValidAgentId: ({ value }) => core.isValidAgentId(value),
  buildAgentMainSessionKey: ({ agentId, mainKey }) => core.mainSessionKey(agentId, mainKey),
  buildAgentPeerSessionKey: (input) => core.peerSessionKey(input as never),
  buildGroupHistoryKey: (input) => core.groupHistoryKey(input as never),
  resolveThreadSessionKeys: (input) => core.threadSession(input as never),
  parseThreadSessionSuffix: ({ sessionKey }) => core.splitThread(sessionKey),
  parseAgentSessionKey: ({ sessionKey }) => core.parseAgentKey(sessionKey),
  isSubagentSessionKey: ({ sessionKey }) => core.isSubagentKey(sessionKey),
  isAcpSessionKey: ({ sessionKey }) => core.isAcpKey(sessionKey),
  isCronSessionKey: ({ sessionKey }) => core.isCronKey(sessionKey),
  getSubagentDepth: ({ sessionKey }) => core.subagentDepth(sessionKey),
  resolveThreadParentSessionKey: ({ sessionKey }) => core.threadParent(sessionKey),
  toAgentRequestSessionKey: ({ storeKey }) => core.requestKey(storeKey),
  toAgentStoreSessionKey: (input) => core.storeKey(input as never),
  resolveAgentIdFromSessionKey: ({ sessionKey }) => core.agentIdOfKey(sessionKey),
  classifySessionKeyShape: ({ sessionKey }) => core.keyShape(sessionKey),
  deriveSessionChatTypeFromKey: ({ sessionKey }) => core.chatTypeOfKey(sessionKey),
  resolveMainSessionKey: ({ config }) => core.tenantMainKey(config),
  canonicalizeMainSessionAlias: ({ config, agentId, sessionKey }) => core.canonicalMainAlias(config, agentId, sessionKey),
  resolveSessionStoreKey: ({ config, sessionKey }) => core.canonicalKey(config, sessionKey),
  migrateSessionStoreKey: (input) => core.migrateStoreKey(input as never),
  classifySessionKey: ({ sessionKey, entry }) => core.sessionKind(sessionKey, entry),
  parseGroupKey: ({ sessionKey }) => core.parseGroupKey(sessionKey),
  classifySessionKind: ({ sessionKey, alias, mainKey }) => core.toolSessionKind(sessionKey, alias, mainKey),
  looksLikeSessionKey: ({ value }) => core.looksLikeSessionKey(value),
};

/** Operations of the inbound-context side, which comes with the channels; the README says so. */
const NOT_IMPLEMENTED = ['resolveGroupSessionKey', 'resolveSessionKey'];

function check(vector: Vector, actual: unknown): void {
  const accepted = [vector.expected, ...('alternative' in vector ? [vector.alternative] : [])];
  expect(accepted).toContainEqual(orNull(actual));
}

describe('session-key.json', () => {
  const vectors = load('session-key.json');

  test('names no operation that is neither implemented nor listed as missing', () => {
    const operations = new Set(vectors.map((vector) => vector.op));
    expect([...operations].sort()).toEqual([...Object.keys(OPERATIONS), ...NOT_IMPLEMENTED].sort());
  });

  test.each(vectors.filter((vector) => !NOT_IMPLEMENTED.includes(vector.op ?? '')).map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    check(vector, OPERATIONS[vector.op ?? '']?.(vector.input));
  });
});

describe('resolve-route.json', () => {
  test.each(load('resolve-route.json').map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const { config, input } = vector.input as unknown as { config: core.RoutingConfig; input: core.RouteInput };
    const { lastRoutePolicy: _, ...route } = core.resolveRoute(core.compileRoutes(config), input);
    check(vector, route);
  });
});
