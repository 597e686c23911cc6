import type { Bus } from '@plexus/bus';
import {
  mcpContracts as mcp,
  memoryContracts as memory,
  plexusError,
  type Principal,
  routingContracts as routing,
  skillContracts as skill,
} from '@plexus/contracts';

interface Asked {
  readonly principal: Principal;
  readonly data: unknown;
}

/** What the services were asked that own the answers to requests of VMs. */
export interface OwnersOfAnswers {
  readonly memory: Asked[];
  readonly skill: Asked[];
  readonly mcp: Asked[];
  readonly routing: Asked[];
  /** Holds calls of remote tools until it resolves. */
  toolGate: Promise<void> | undefined;
  /** Sessions that routing knows, by owner. */
  readonly sessions: Map<string, routing.SessionSummary[]>;
}

const HIT = {
  id: 'mem_1',
  scope: { kind: 'user' as const, id: 'me' },
  namespace: '',
  kind: 'fact' as const,
  content: 'likes tea',
  createdAt: '2026-11-21T10:00:00Z',
  seenCount: 1,
  score: 0.8,
  matched: [],
  missing: [],
};

export const PACKAGE = {
  skill_id: 'greet',
  version: '1.0.0',
  hash: 'a'.repeat(64),
  files: [{ path: 'SKILL.md', content: '---\nname: greet\n---\nSay hello.\n', encoding: 'utf8' as const }],
  file_inventory: { has_skill_md: true, has_scripts: false, has_references: false, script_files: [], reference_files: [] },
  requires: { binaries: ['figlet'], env_vars: [] },
};

/** Serves memories, skills, remote tools and sessions with fixed answers. */
export function serveOwners(buses: { scheduler: Bus; memory: Bus; routing: Bus }): OwnersOfAnswers {
  const asked: OwnersOfAnswers = { memory: [], skill: [], mcp: [], routing: [], toolGate: undefined, sessions: new Map() };
  buses.memory.serve(memory.searchMemory, async (data, { principal }) => {
    asked.memory.push({ principal, data });
    return { hits: [HIT], mode: 'text' as const, semantic: false, tookMs: 1 };
  });
  buses.memory.serve(memory.writeMemory, async (data, { principal }) => {
    asked.memory.push({ principal, data });
    return { id: 'mem_2', result: 'created' as const, embedding: 'none' as const };
  });
  buses.scheduler.serve(skill.skillPackage, async (data, { principal }) => {
    asked.skill.push({ principal, data });
    if (data.skillId !== PACKAGE.skill_id) throw plexusError('NOT_FOUND');
    return { package: PACKAGE };
  });
  buses.scheduler.serve(mcp.callMcpTool, async (data, { principal }) => {
    asked.mcp.push({ principal, data });
    await asked.toolGate;
    if (data.server === 'forbidden') throw plexusError('FORBIDDEN');
    return { result: { content: [{ type: 'text', text: `${data.tool} done` }] } };
  });
  const own = ({ user }: Principal) => asked.sessions.get(user ?? '') ?? [];
  buses.routing.serve(routing.describeSession, async (data, { principal }) => {
    asked.routing.push({ principal, data });
    const session = own(principal).find(({ sessionKey }) => sessionKey === data.sessionKey);
    return { sessionKey: data.sessionKey, ...(session && { session }) };
  });
  buses.routing.serve(routing.listSessions, async (data, { principal }) => {
    asked.routing.push({ principal, data });
    return { sessions: own(principal), totalCount: own(principal).length, hasMore: false };
  });
  return asked;
}
