import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus } from '@plexus/bus';
import { type Person, SESSIONS } from '../clients/person.js';
import type { FinalState, InboxEntry, TranscriptMessage } from '../history.js';
import type { ChaosMesh } from '../mesh/chaos-mesh.js';
import { DatabaseReader } from './read-database.js';
import { vmProcesses } from './read-processes.js';
import { backlog, endedRuns, parkedMessages, storedEvents } from './read-streams.js';

const LOOK_EVERY_MS = 1_000;
/** Two looks in a row without anything left: what one consumer has just done may be the next one's work. */
const QUIET_LOOKS = 3;

export interface Observation {
  readonly mesh: ChaosMesh;
  readonly bus: Bus;
  readonly people: readonly Person[];
  readonly note: (line: string) => void;
}

/** Waits until nothing is under way any more, at most `timeoutMs`; returns what still is. */
export async function comeToRest(observation: Observation, timeoutMs: number): Promise<string[]> {
  const giveUpAt = performance.now() + timeoutMs;
  let quiet = 0;
  for (;;) {
    const left = await look(observation).catch((error: unknown) => [`could not be looked at: ${String(error)}`]);
    quiet = left.length === 0 ? quiet + 1 : 0;
    if (quiet >= QUIET_LOOKS) return [];
    if (performance.now() >= giveUpAt && left.length > 0) return left;
    await sleep(LOOK_EVERY_MS);
  }
}

async function look({ mesh, bus, people }: Observation): Promise<string[]> {
  const database = await DatabaseReader.connect(mesh.postgres.url());
  try {
    const [rows, waiting, inboxes] = [await database.unsettled(), await backlog(bus), await database.inboxRows()];
    const behind = people.flatMap(({ devices, options: { tenant, user }, name }) => {
      const head = inboxes.find((box) => box.tenant === tenant && box.user === user)?.entries.at(-1)?.offset ?? 0;
      return devices.filter(({ last }) => last < head).map((device) => `${name} on ${device.view().device} is at ${device.last} of ${head}`);
    });
    return [...rows, ...waiting, ...behind];
  } finally {
    await database.close();
  }
}

/** Everything that is there in the end, as people see it over HTTP and as it is stored. */
export async function collect({ mesh, bus, people }: Observation, unsettled: readonly string[]): Promise<FinalState> {
  const database = await DatabaseReader.connect(mesh.postgres.url());
  try {
    const [runs, inboxRows, vms] = [await database.runs(), await database.inboxRows(), await database.vms()];
    const [transcripts, inboxes, memories] = [await each(people, transcriptsOf), await each(people, inboxOf), await each(people, memoriesOf)];
    return {
      transcripts,
      runs,
      endedInStream: await endedRuns(bus),
      inboxes,
      inboxRows,
      memories,
      vms,
      processes: vmProcesses(mesh),
      storedEvents: await storedEvents(bus),
      parked: await parkedMessages(bus),
      unsettled,
    };
  } finally {
    await database.close();
  }
}

async function each<T>(people: readonly Person[], read: (person: Person) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (const person of people) found.push(...(await read(person)));
  return found;
}

async function transcriptsOf({ http, options: { tenant, user } }: Person): Promise<FinalState['transcripts'][number][]> {
  const found: FinalState['transcripts'][number][] = [];
  for (const session of SESSIONS) {
    const messages: (TranscriptMessage & { readonly seq: number })[] = [];
    for (;;) {
      // Pages go back in time.
      const before = messages[0] === undefined ? '' : `&before=${messages[0].seq}`;
      const path = `/v1/sessions/${encodeURIComponent(session)}/history?limit=500${before}`;
      const page = await persist(() => http.request<{ messages: typeof messages; hasMore: boolean }>('GET', path));
      messages.unshift(...page.messages);
      if (!page.hasMore || page.messages.length === 0) break;
    }
    found.push({ tenant, user, session, messages });
  }
  return found;
}

async function inboxOf({ http, options: { tenant, user } }: Person): Promise<FinalState['inboxes'][number][]> {
  const entries: InboxEntry[] = [];
  let head = 0;
  for (;;) {
    const path = `/v1/inbox?after=${entries.at(-1)?.offset ?? 0}&limit=200`;
    const page = await persist(() => http.request<{ head: number; items: { offset: number; id: string; events: { id: string }[] }[] }>('GET', path));
    head = page.head;
    if (page.items.length === 0) return [{ tenant, user, head, entries }];
    entries.push(...page.items.map(({ offset, id, events }) => ({ offset, id, events: events.map((event) => event.id) })));
  }
}

async function memoriesOf({ http, options: { tenant, user } }: Person): Promise<FinalState['memories'][number][]> {
  const found: FinalState['memories'][number][] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ limit: '200', ...(cursor === undefined ? {} : { cursor }) });
    const page = await persist(() => http.request<{ memories: { id: string; content: string }[]; nextCursor?: string }>('GET', `/v1/memory?${query}`));
    found.push(...page.memories.map(({ id, content }) => ({ tenant, user, id, content })));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return found;
}

/** Faults are over; a reader still deserves a second try. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= 5) throw error;
      await sleep(1_000);
    }
  }
}
