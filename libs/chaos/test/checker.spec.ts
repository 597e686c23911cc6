import fc from 'fast-check';
import { check } from '../src/checker/check.js';
import { recoveries } from '../src/checker/recovery.js';
import type { Promised } from '../src/checker/violation.js';
import { canary } from '../src/history.js';
import { type OpenHistory, validHistory } from './support/histories.js';

const found = (history: OpenHistory): Promised[] => check(history as never).map(({ promise }) => promise);
const seeds = fc.integer({ min: 1, max: 1_000_000 });

/** Breaks a history on purpose; false when this one has nothing to break. */
type Fault = (history: OpenHistory) => boolean;
const acknowledged = (history: OpenHistory, kind: string) => history.operations.filter((one) => one.kind === kind && one.outcome === 'ok');
const swapFirst = <T>(list: T[]): boolean => {
  if (list.length < 2) return false;
  [list[0], list[1]] = [list[1] as T, list[0] as T];
  return true;
};

const FAULTS: Record<string, { readonly finds: Promised; readonly plant: Fault }> = {
  'an acknowledged message is in no transcript': {
    finds: 'lost',
    plant: (history) => {
      const [say] = acknowledged(history, 'say');
      for (const transcript of history.final.transcripts) transcript.messages = transcript.messages.filter(({ runId }) => runId !== say?.id);
      return say !== undefined;
    },
  },
  'an acknowledged message has no run': {
    finds: 'lost',
    plant: (history) => {
      const [say] = acknowledged(history, 'say');
      history.final.runs = history.final.runs.filter(({ runId }) => runId !== say?.id);
      return say !== undefined;
    },
  },
  'an answer is missing': {
    finds: 'lost',
    plant: (history) => {
      const run = history.final.runs.find(({ status }) => status === 'ok');
      for (const transcript of history.final.transcripts)
        transcript.messages = transcript.messages.filter(({ runId, role }) => runId !== run?.runId || role === 'user');
      return run !== undefined;
    },
  },
  'a message is there twice': {
    finds: 'doubled',
    plant: ({ final }) => {
      const transcript = final.transcripts.find(({ messages }) => messages.some(({ runId }) => runId !== undefined));
      const message = transcript?.messages.find(({ runId }) => runId !== undefined);
      if (message !== undefined) transcript?.messages.push({ ...message });
      return message !== undefined;
    },
  },
  'an injected message is there twice': {
    finds: 'doubled',
    plant: (history) => {
      const [inject] = acknowledged(history, 'inject');
      const transcript = history.final.transcripts.find(({ messages }) => messages.some(({ text }) => inject !== undefined && text.includes(`[${inject.id}]`)));
      const message = transcript?.messages.find(({ text }) => text.includes(`[${inject?.id}]`));
      if (message !== undefined) transcript?.messages.push({ ...message });
      return message !== undefined;
    },
  },
  'a refused message is there': {
    finds: 'phantom',
    plant: (history) => {
      const say = history.operations.find(({ kind, outcome }) => kind === 'say' && outcome === 'refused');
      const transcript = history.final.transcripts.find(({ tenant, user }) => tenant === say?.tenant && user === say.user);
      if (say !== undefined) transcript?.messages.push({ role: 'user', text: 'x', runId: say.id });
      return say !== undefined;
    },
  },
  'two messages of a session change places': {
    finds: 'order',
    plant: ({ operations, final }) => {
      const sure = new Set(operations.filter(({ outcome }) => outcome === 'ok').map(({ id }) => id));
      const transcript = final.transcripts.find(
        ({ messages }) => messages.filter(({ runId, role }) => role === 'user' && sure.has(runId as string)).length >= 2,
      );
      if (transcript === undefined) return false;
      const questions = transcript.messages.filter(({ runId, role }) => role === 'user' && sure.has(runId as string));
      transcript.messages = [
        questions[1],
        questions[0],
        ...transcript.messages.filter((one) => one !== questions[0] && one !== questions[1]),
      ] as typeof transcript.messages;
      return true;
    },
  },
  'a run does not end': {
    finds: 'ends',
    plant: ({ final }) => {
      const [run] = final.runs;
      if (run !== undefined) run.status = 'started';
      return run !== undefined;
    },
  },
  'one connection is told an end twice': {
    finds: 'ends',
    plant: ({ ends }) => {
      if (ends[0] !== undefined) ends.push({ ...ends[0] });
      return ends.length > 0;
    },
  },
  'the end of a run is not in the stream': {
    finds: 'agreement',
    plant: ({ final }) => {
      const run = final.runs.find(({ status }) => status === 'ok');
      final.endedInStream = final.endedInStream.filter((id) => id !== run?.runId);
      return run !== undefined;
    },
  },
  'an acknowledged event is not stored': {
    finds: 'lost',
    plant: (history) => {
      const [event] = acknowledged(history, 'event');
      history.final.storedEvents = history.final.storedEvents.filter((id) => id !== event?.id);
      return event !== undefined;
    },
  },
  'a follower is not told of a stored event': {
    finds: 'lost',
    plant: ({ final, views }) => {
      const inbox = final.inboxes.find(({ entries }) => entries.length > 0);
      const rows = final.inboxRows.find(({ tenant, user }) => tenant === inbox?.tenant && user === inbox.user);
      if (inbox === undefined || rows === undefined) return false;
      inbox.entries.pop();
      rows.entries.pop();
      inbox.head -= 1;
      for (const view of views) if (view.tenant === inbox.tenant && view.user === inbox.user) view.entries.pop();
      return true;
    },
  },
  'an event is told twice': {
    finds: 'doubled',
    plant: ({ final }) => {
      const inbox = final.inboxes.find(({ entries }) => entries.length > 0);
      const [first] = inbox?.entries ?? [];
      if (first !== undefined) inbox?.entries.push({ ...first, offset: ++inbox.head, id: 'again' });
      return first !== undefined;
    },
  },
  'an event is told to somebody who does not follow it': {
    finds: 'phantom',
    plant: ({ final, operations }) => {
      const inbox = final.inboxes.find(({ tenant }) => operations.some((one) => one.kind === 'event' && one.tenant === tenant && one.place === 'case-3'));
      const event = operations.find((one) => one.kind === 'event' && one.tenant === inbox?.tenant && one.place === 'case-3');
      if (inbox !== undefined && event !== undefined) inbox.entries.push({ offset: ++inbox.head, id: 'stray', events: [event.id] });
      return event !== undefined;
    },
  },
  'an offset is left out': {
    finds: 'offsets',
    plant: ({ final }) => {
      const inbox = final.inboxes.find(({ entries }) => entries.length >= 2);
      for (const entry of inbox?.entries.slice(1) ?? []) entry.offset += 1;
      return inbox !== undefined;
    },
  },
  'the head is wrong': {
    finds: 'offsets',
    plant: ({ final }) => {
      if (final.inboxes[0] !== undefined) final.inboxes[0].head += 1;
      return true;
    },
  },
  'a device misses the newest item': { finds: 'views', plant: ({ views }) => views.some((view) => view.entries.pop() !== undefined) },
  'a device sees items in another order': { finds: 'views', plant: ({ views }) => views.some((view) => swapFirst(view.entries)) },
  'a device sees another item under an offset': {
    finds: 'agreement',
    plant: ({ views }) => {
      const entry = views.find(({ entries }) => entries.length > 0)?.entries[0];
      if (entry !== undefined) entry.id = 'another';
      return entry !== undefined;
    },
  },
  'a resume does not recover': {
    finds: 'views',
    plant: ({ views }) => {
      views[0]?.problems.push('was not recovered');
      return true;
    },
  },
  'rows and clients differ': {
    finds: 'agreement',
    plant: ({ final }) => {
      const rows = final.inboxRows.find(({ entries }) => entries.length > 0);
      const entry = rows?.entries[0];
      if (entry !== undefined) entry.id = 'another';
      return entry !== undefined;
    },
  },
  'an event of another tenant is in an inbox': {
    finds: 'isolation',
    plant: (history) => {
      const event = history.operations.find(({ kind, tenant }) => kind === 'event' && tenant === 't2');
      const inbox = history.final.inboxes.find(({ tenant }) => tenant === 't1');
      if (event !== undefined && inbox !== undefined) inbox.entries.push({ offset: ++inbox.head, id: 'stray', events: [event.id] });
      return event !== undefined;
    },
  },
  'a text of another tenant is in a transcript': {
    finds: 'isolation',
    plant: ({ final }) => {
      final.transcripts.find(({ tenant }) => tenant === 't1')?.messages.push({ role: 'assistant', text: `psst ${canary('t2')}` });
      return true;
    },
  },
  'a client is shown a text of another tenant': {
    finds: 'isolation',
    plant: ({ leaks }) => {
      leaks.push({ tenant: 't1', user: 'u1', where: 'an event', text: canary('t2') });
      return true;
    },
  },
  'an acknowledged memory is gone': {
    finds: 'lost',
    plant: (history) => {
      const [write] = acknowledged(history, 'remember');
      history.final.memories = history.final.memories.filter(({ content }) => !content.includes(`[${write?.id}]`));
      return write !== undefined;
    },
  },
  'a memory is there twice': {
    finds: 'doubled',
    plant: ({ final }) => {
      const [memory] = final.memories;
      if (memory !== undefined) final.memories.push({ ...memory, id: 'again' });
      return memory !== undefined;
    },
  },
  'a memory is with somebody else': {
    finds: 'isolation',
    plant: ({ final }) => {
      const memory = final.memories.find(({ user }) => user === 'u1');
      if (memory !== undefined) memory.user = 'u2';
      return memory !== undefined;
    },
  },
  'a memory has another id than was acknowledged': {
    finds: 'agreement',
    plant: (history) => {
      const [write] = acknowledged(history, 'remember');
      if (write !== undefined) write.result = 'another';
      return write !== undefined;
    },
  },
  'an owner is told of two VMs': {
    finds: 'vms',
    plant: (history) => {
      const told = acknowledged(history, 'ensure');
      const [first] = told;
      const second = told.find((one) => one !== first && one.tenant === first?.tenant && one.user === first.user);
      if (second !== undefined) second.result = 'vm-other';
      return second !== undefined;
    },
  },
  'an owner has two VMs': {
    finds: 'vms',
    plant: ({ final }) => {
      if (final.vms[0] !== undefined) final.vms.push({ ...final.vms[0], vmId: 'vm-other' });
      return true;
    },
  },
  'an acknowledged VM is gone': {
    finds: 'lost',
    plant: (history) => {
      const [told] = acknowledged(history, 'ensure');
      history.final.vms = history.final.vms.filter(({ vmId }) => vmId !== told?.result);
      return told !== undefined;
    },
  },
  'a VM has two processes': {
    finds: 'vms',
    plant: ({ final }) => {
      if (final.processes[0] !== undefined) final.processes.push({ ...final.processes[0], pid: 99 });
      return true;
    },
  },
  'a message is parked': {
    finds: 'parked',
    plant: ({ final }) => {
      final.parked.push({ subject: 'plexus.in.t1.crm.x.v1.y', reason: 'HANDLER_FAILED' });
      return true;
    },
  },
  'something does not come to rest': {
    finds: 'rest',
    plant: ({ final }) => {
      final.unsettled.push('consumer push-in: 3 waiting');
      return true;
    },
  },
};

describe('the checker', () => {
  it('finds nothing in what a correct mesh can do, whatever became of operations of unknown outcome', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(check(validHistory(seed) as never)).toEqual([]);
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it.each(Object.entries(FAULTS))('finds it when %s', (_name, { finds, plant }) => {
    let planted = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const history = validHistory(seed);
        if (!plant(history)) return;
        planted += 1;
        expect(found(history)).toContain(finds);
      }),
      { numRuns: 25, seed: 1 },
    );
    expect(planted).toBeGreaterThan(0);
  });

  it('treats a try that nobody answered and that arrives late as no disorder', () => {
    const history = validHistory(1);
    const box = history.final.transcripts[0] as OpenHistory['final']['transcripts'][number];
    const place = { tenant: box.tenant, user: box.user, place: box.session, kind: 'say' as const, attempts: 1 };
    history.operations.push(
      { ...place, id: 'first', startedAt: 1, endedAt: 2, outcome: 'maybe' },
      { ...place, id: 'second', startedAt: 3, endedAt: 4, outcome: 'ok' },
    );
    box.messages = [...box.messages, { role: 'user', text: '', runId: 'second' }, { role: 'user', text: '', runId: 'first' }];
    for (const runId of ['first', 'second']) history.final.runs.push({ tenant: box.tenant, user: box.user, runId, status: 'cancelled' });
    expect(found(history).filter((promise) => promise !== 'order')).toEqual([]);
    expect(check(history as never).filter(({ what }) => what.includes('first'))).toEqual([]);
  });

  it('counts recovery from the begin of a fault to the first success of what began after it', () => {
    const base = { tenant: 't', user: 'u', place: '', attempts: 1 };
    const operations = [
      { ...base, id: 'a', kind: 'say' as const, startedAt: 900, endedAt: 1_100, outcome: 'ok' as const },
      { ...base, id: 'b', kind: 'say' as const, startedAt: 1_200, endedAt: 3_500, outcome: 'ok' as const },
      { ...base, id: 'c', kind: 'event' as const, startedAt: 1_300, endedAt: 1_400, outcome: 'maybe' as const },
    ];
    const [recovery] = recoveries([{ kind: 'kill-service', target: 'push-1', from: 1_000, to: 2_000 }], operations);
    expect(recovery?.firstSuccessMs).toEqual({ say: 2_500 });
    expect(recovery?.worstMs).toBe(2_500);
  });
});
