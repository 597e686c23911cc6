import type { Bus, OrderedMessage } from '@plexus/bus';
import { sessionContracts } from '@plexus/contracts';
import { StreamSessionEvents } from './stream-session-events.js';

const RUN = { tenant: 'acme', sessionId: '01kaskz0000000000000000000', runId: 'r1' };

/** A stream that holds these events, from sequence 1. */
function streamOf(events: { runId: string; event: { type: string; [field: string]: unknown } }[]): Pick<Bus, 'readOrdered' | 'lastOnSubject'> {
  const messages = events.map((data, index) => {
    const item = sessionContracts.sessionEvent.data.parse({ ...data, sessionId: RUN.sessionId, sessionKey: 'agent:main:main', owner: 'ada' });
    return { seq: index + 1, time: 1_000 + index, json: () => ({ data: item }) } as unknown as OrderedMessage;
  });
  return {
    lastOnSubject: async () => messages.at(-1),
    readOrdered: ((_stream: string, _where: object, read: (message: OrderedMessage) => void) => {
      for (const message of messages) read(message);
      return { stop: async () => undefined };
    }) as never,
  };
}

it('the further messages that a run took along are read with its end: its own, before the end, each once', async () => {
  const accepted = (runId: string, message_id: string) => ({ runId, event: { type: 'steer_accepted', message_id } });
  const stream = streamOf([
    accepted('r1', 'steer:r2'),
    accepted('r1', 'steer:r2'),
    accepted('other', 'steer:r3'),
    accepted('r1', 'something else'),
    accepted('r1', 'steer:r4'),
    { runId: 'r1', event: { type: 'execution_complete', content: 'Done' } },
    accepted('r1', 'steer:r5'),
  ]);
  const reading = await new StreamSessionEvents(stream).readRun(RUN, { seq: 0, epoch: 0 });
  expect(reading).toMatchObject({ end: { end: { status: 'ok', text: 'Done' }, position: { seq: 6 } }, tookAlong: ['r2', 'r4'] });
});

it('a server that is behind the delivered event is no proof that the run goes on', async () => {
  const before = streamOf([{ runId: 'r1', event: { type: 'text_chunk', content: 'Do' } }]);
  expect(await new StreamSessionEvents(before).readRun(RUN, { seq: 0, epoch: 0 }, 2)).toEqual({ behind: true });
  expect(await new StreamSessionEvents(streamOf([])).readRun(RUN, { seq: 0, epoch: 0 }, 1)).toEqual({ behind: true });
  const caughtUp = streamOf([
    { runId: 'r1', event: { type: 'text_chunk', content: 'Do' } },
    { runId: 'r1', event: { type: 'execution_complete', content: 'Done' } },
  ]);
  expect(await new StreamSessionEvents(caughtUp).readRun(RUN, { seq: 0, epoch: 0 }, 2)).toMatchObject({ end: { end: { status: 'ok' } } });
});
