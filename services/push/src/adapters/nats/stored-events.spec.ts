import type { Bus, OrderedMessage } from '@plexus/bus';
import { parseSubject, permissionsFor, ROLES } from '@plexus/contracts';
import { FakeClock } from '@plexus/kernel';
import { EVENT_STREAMS, NatsStoredEvents } from './stored-events.js';

const at = Date.parse('2026-11-21T10:00:00Z');

describe('events where they are stored', () => {
  const event = (id: string) => ({ specversion: '1.0', id, source: '/plexus/vm', type: 'dev.plexus.vm.started.v1', tenantid: 'acme', data: {} });
  const streams: Record<string, [string, string][]> = {
    PLEXUS_IN: [['plexus.in.acme.crm.changed.v1.k', 'foreign']],
    PLEXUS_EVT_VM: [
      ['plexus.evt.acme.vm.started.v1.vm-1', 'fact'],
      ['plexus.evt.other.vm.started.v1.vm-1', 'of-others'],
    ],
  };
  const looked: string[] = [];
  const bus = {
    jetstream: {
      streamInfo: async (name: string) => {
        looked.push(name);
        const stored = streams[name]?.length ?? 0;
        return { state: { first_seq: Math.min(1, stored), last_seq: stored } };
      },
    },
    messageAt: async (name: string, seq: number) => {
      if (seq < 1) throw new Error('bad request');
      const [subject, id] = streams[name]?.[seq - 1] ?? [];
      if (subject === undefined || id === undefined) return undefined;
      const raw = Buffer.from(JSON.stringify(event(id)));
      return { subject, parsed: parseSubject(subject), raw, seq, time: at, json: () => JSON.parse(raw.toString()) } as unknown as OrderedMessage;
    },
  } as unknown as Pick<Bus, 'messageAt' | 'jetstream'>;
  const events = new NatsStoredEvents(bus, new FakeClock(at), { messages: 100, ms: 1_000 });
  beforeEach(() => {
    looked.length = 0;
  });

  it('facts of the mesh that concerned nobody are found, by their origin, their source, or their id alone', async () => {
    for (const reference of [{ origin: 'plexus.vm' }, { source: '/plexus/vm' }, {}]) {
      const { found, search } = await events.find('acme', { id: 'fact', ...reference }, undefined);
      expect(found).toMatchObject({ event: { id: 'fact', origin: 'plexus.vm', tenant: 'acme' } });
      expect(search.found).toBe(true);
    }
    expect(looked.slice(0, 2)).toEqual(['PLEXUS_EVT_VM', 'PLEXUS_EVT_VM']);
  });

  it('a foreign event is looked for among foreign events alone when its origin says so, and nobody finds what is of another tenant', async () => {
    const { search } = await events.find('acme', { id: 'fact', origin: 'crm' }, undefined);
    expect(search).toEqual({ stream: 'PLEXUS_IN', found: false, examined: 1, oldest: iso, newest: iso, exhausted: true });
    const others = await events.find('acme', { id: 'of-others' }, undefined);
    expect(others.found).toBeUndefined();
    // Not even that there was something is told.
    expect(others.search).toMatchObject({ examined: 2, exhausted: true });
  });
});

const iso = new Date(at).toISOString();

describe('the streams with events', () => {
  it.each(EVENT_STREAMS)('%s may be read one by one by the role of push', (stream) => {
    const role = ROLES.find(({ name }) => name === 'push');
    expect(role && permissionsFor(role).publish.allow).toContain(`$JS.API.STREAM.MSG.GET.${stream}`);
  });
});
