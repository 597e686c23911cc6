import type { Principal } from '@plexus/contracts';
import type { SessionEventData } from '../domain/chat-events.js';
import { followSession } from './follow-session.js';
import type { Mesh, SessionStreamMessage } from './ports.js';

const ME: Principal = { tenant: 'default', user: 'me', role: 'user', scopes: ['operator.read'], credentialId: 'c' };
const SESSION = { sessionId: '01jd5a0000000000000000000a', sessionKey: 'agent:main:main', owner: 'me', agentId: 'main' };

/** What a follower of the session is shown behind `lastEventId`, when this is stored and the VM's epoch is now `epoch`. */
async function shown(stored: readonly Partial<SessionEventData>[], lastEventId: number, epoch: number): Promise<string[]> {
  const messages: SessionStreamMessage[] = stored.map((data, index) => ({
    seq: index + 1,
    time: 0,
    tenant: 'default',
    name: 'event',
    sessionId: SESSION.sessionId,
    data: { ...SESSION, ...data },
  }));
  const seen: string[] = [];
  const sink = {
    event: (id: number, type: string) => void seen.push(`${id} ${type}`),
    resync: () => void seen.push('resync'),
    end: () => void seen.push('end'),
  };
  const mesh = { call: async () => ({ sessionKey: SESSION.sessionKey, session: SESSION }) } as unknown as Mesh;
  const archive = { readSession: async (_tenant: string, _session: string, from: number) => messages.filter(({ seq }) => seq >= from) };
  const feed = { watch: () => () => undefined, onRevoked: () => () => undefined };
  const services = { mesh, feed, archive, epochOf: () => epoch };
  (await followSession(services, ME, SESSION.sessionKey, lastEventId, sink, new AbortController().signal)).stop();
  return seen;
}

const chunk = (runSeq: number, epoch: number) => ({ vmId: 'vm-1', epoch, runId: `run-${epoch}`, runSeq, event: { type: 'text_chunk', content: 'x' } });
const end = (runSeq: number, epoch: number) => ({ ...chunk(runSeq, epoch), event: { type: 'execution_complete' } });
const marker = (epoch: number) => ({ vmId: 'vm-1', epoch, event: { type: 'epoch_marker' } });

describe('a replay of a session', () => {
  it('shows what an earlier incarnation said before the marker of the next one, the end of its run included', async () => {
    const stored = [chunk(1, 4), chunk(2, 4), end(3, 4), marker(5), chunk(1, 5), end(2, 5)];
    expect(await shown(stored, 1, 5)).toEqual(['2 text_chunk', '3 execution_complete', '5 text_chunk', '6 execution_complete']);
  });

  it('drops what the earlier incarnation said behind that marker', async () => {
    expect(await shown([chunk(1, 4), marker(5), chunk(2, 4), chunk(1, 5)], 1, 5)).toEqual(['4 text_chunk']);
  });

  it('does so too when the last thing seen came from a service', async () => {
    const note = { event: { type: 'message', text: 'note', messageId: 'm' } };
    expect(await shown([note, chunk(1, 4), marker(5), chunk(2, 4)], 1, 5)).toEqual(['2 text_chunk']);
  });
});

describe('a session that is shared', () => {
  const open = async (access: 'read' | 'none' = 'read') => {
    const seen: string[] = [];
    let revoke: (user: string | undefined) => void = () => undefined;
    let listening = 0;
    const subscribe = () => {
      listening += 1;
      return () => {
        listening -= 1;
      };
    };
    const services = {
      mesh: { call: async () => ({ sessionKey: SESSION.sessionKey, session: SESSION, access }) } as unknown as Mesh,
      archive: { readSession: async () => [] },
      feed: {
        watch: subscribe,
        onRevoked: (_owner: string, _key: string, listener: typeof revoke) => {
          revoke = listener;
          return subscribe();
        },
      },
      epochOf: () => 0,
    };
    const sink = { event: () => undefined, resync: () => undefined, end: () => void seen.push('end') };
    const following = followSession(services, ME, SESSION.sessionKey, undefined, sink, new AbortController().signal, 'ada');
    return { following, seen, revoke: (user?: string) => revoke(user), listening: () => listening };
  };

  it('is followed until the grant of the follower is taken back or the session is deleted', async () => {
    const shared = await open();
    const { stop } = await shared.following;
    shared.revoke('somebody-else');
    expect(shared.seen).toEqual([]);
    shared.revoke('me');
    expect(shared.seen).toEqual(['end']);
    stop();
    expect(shared.listening()).toBe(0);
    const deleted = await open();
    await deleted.following;
    deleted.revoke();
    expect(deleted.seen).toEqual(['end']);
  });

  it('is not followed when the grant goes while the follower begins', async () => {
    const gone = await open('none');
    await expect(gone.following).rejects.toMatchObject({ code: 'SESSION_NOT_FOUND' });
    expect(gone.listening()).toBe(0);
  });
});
