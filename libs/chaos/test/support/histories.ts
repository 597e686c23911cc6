import { canary, type FinalState, type Following, type History, type InboxEntry, type Operation, type OperationKind } from '../../src/history.js';
import { Random } from '../../src/random.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? Mutable<U>[] : T[K] extends object ? Mutable<T[K]> : T[K] };
export type OpenHistory = Mutable<History>;

const TENANTS = ['t1', 't2'];
const USERS = ['u1', 'u2'];
const SESSION = 'agent:main:main';

/**
 * A history that a correct mesh could have made, drawn from a seed: with operations of unknown outcome that happened or did not, refused ones, repeats
 * in the stream, runs that failed, and devices that reconnected.
 */
export function validHistory(seed: number): OpenHistory {
  const random = new Random(seed);
  const following: Following[] = TENANTS.flatMap((tenant) => USERS.map((user, at) => ({ tenant, user, caseId: `case-${at + 1}` })));
  const operations: Operation[] = [];
  const transcripts: Mutable<FinalState['transcripts'][number]>[] = [];
  const runs: FinalState['runs'][number][] = [];
  const memories: FinalState['memories'][number][] = [];
  const vms: FinalState['vms'][number][] = [];
  const inboxes: Mutable<FinalState['inboxes'][number]>[] = [];
  const storedEvents: string[] = [];
  let clock = 0;

  const operation = (kind: OperationKind, tenant: string, user: string, place: string): { one: Operation; happened: boolean } => {
    const drawn = random.next();
    const outcome = drawn < 0.75 ? 'ok' : drawn < 0.95 ? 'maybe' : 'refused';
    clock += random.between(1, 500);
    const startedAt = clock;
    clock += random.between(1, 2_000);
    const one: Operation = {
      id: `${kind}-${operations.length + 1}`,
      kind,
      tenant,
      user,
      place,
      startedAt,
      endedAt: clock,
      outcome,
      attempts: random.between(1, 3),
    };
    operations.push(one);
    return { one, happened: outcome === 'ok' || (outcome === 'maybe' && random.chance(0.5)) };
  };

  for (const { tenant, user } of following) {
    const messages: Mutable<FinalState['transcripts'][number]['messages'][number]>[] = [];
    for (let count = random.between(2, 6); count > 0; count -= 1) {
      const { one, happened } = operation('say', tenant, user, SESSION);
      if (!happened) continue;
      const status = random.pick(['ok', 'ok', 'ok', 'error', 'cancelled']);
      runs.push({ tenant, user, runId: one.id, status });
      messages.push({ role: 'user', text: `${canary(tenant)} ${one.id}`, runId: one.id });
      if (status === 'ok') messages.push({ role: 'assistant', text: `You said: ${canary(tenant)} ${one.id}`, runId: one.id });
    }
    const injected = operation('inject', tenant, user, SESSION);
    if (injected.happened) messages.push({ role: 'assistant', text: `${canary(tenant)} [${injected.one.id}] note` });
    transcripts.push({ tenant, user, session: SESSION, messages });
    for (let count = random.between(2, 4); count > 0; count -= 1) {
      const { one, happened } = operation('remember', tenant, user, '');
      if (!happened) continue;
      const id = `memory-of-${one.id}`;
      if (one.outcome === 'ok') one.result = id;
      memories.push({ tenant, user, id, content: `${canary(tenant)} [${one.id}] words` });
    }
    const vmId = `vm-${tenant}-${user}`;
    vms.push({ tenant, user, vmId, state: 'ready' });
    for (let count = 2; count > 0; count -= 1) {
      const { one } = operation('ensure', tenant, user, '');
      if (one.outcome === 'ok') one.result = vmId;
    }
    inboxes.push({ tenant, user, head: 0, entries: [] });
  }
  for (const tenant of TENANTS) {
    for (let count = random.between(4, 10); count > 0; count -= 1) {
      const { one, happened } = operation('event', tenant, '', `case-${random.between(1, 3)}`);
      if (!happened) continue;
      storedEvents.push(one.id, ...(random.chance(0.3) ? [one.id] : []));
      for (const inbox of inboxes.filter((box) =>
        following.some((f) => f.tenant === tenant && f.tenant === box.tenant && f.user === box.user && f.caseId === one.place),
      )) {
        inbox.entries.push({ offset: ++inbox.head, id: `delivery-${inbox.head}`, events: [one.id] });
      }
    }
  }
  const copy = (entries: readonly InboxEntry[]): Mutable<InboxEntry>[] => entries.map(({ offset, id, events }) => ({ offset, id, events: [...events] }));
  return {
    operations,
    following,
    views: inboxes.flatMap(({ tenant, user, entries }) =>
      ['phone', 'desk'].map((device) => ({ tenant, user, device, entries: copy(entries), problems: [], connections: random.between(1, 5) })),
    ),
    ends: runs.flatMap(({ tenant, user, runId, status }) =>
      // Another connection may be told the same end again.
      [1, 2].slice(0, random.between(0, 2)).map((number) => ({ tenant, user, connection: `${tenant}/${user}#${number}`, runId, state: status })),
    ),
    leaks: [],
    final: {
      transcripts,
      runs: runs as Mutable<FinalState['runs'][number]>[],
      endedInStream: runs.map(({ runId }) => runId),
      inboxes,
      inboxRows: inboxes.map(({ tenant, user, entries }) => ({ tenant, user, entries: copy(entries) })),
      memories: memories as Mutable<FinalState['memories'][number]>[],
      vms: vms as Mutable<FinalState['vms'][number]>[],
      processes: vms.map(({ vmId }, at) => ({ vmId, pid: at + 1 })),
      storedEvents,
      parked: [],
      unsettled: [],
    },
  } as OpenHistory;
}
