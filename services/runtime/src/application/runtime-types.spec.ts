import { FakeClock } from '@plexus/kernel';
import { decodeMeshFrame, FrameSender, type StartSessionData } from '@plexus/vm-protocol';
import { type CommandFrame, JournalState } from '../domain/journal-state.js';
import { Fence } from './fence.js';
import type { RuntimeAdapter } from './ports.js';
import { Runtime } from './runtime.js';
import { Uplink } from './uplink.js';

describe('the kinds of agents', () => {
  it('finding 19: each session gets the adapter that its runtime_type names, started with the data of start_session and nothing else', () => {
    const started: [string, StartSessionData[]][] = [];
    const adapterOf = (name: string): RuntimeAdapter => ({
      start: (...data: StartSessionData[]) => {
        started.push([name, data]);
        return { run: async function* () {} };
      },
    });
    const state = new JournalState();
    const uplink = new Uplink(new FrameSender(), { append: () => undefined, flush: () => undefined }, state);
    const clock = new FakeClock();
    const adapters = { semigraph: adapterOf('semigraph'), openclaw: adapterOf('openclaw') };
    const runtime = new Runtime(state, { adapters, uplink, fence: new Fence(clock), clock, log: () => undefined });
    for (const [index, runtimeType] of (['openclaw', 'semigraph', undefined] as const).entries()) {
      const decoded = decodeMeshFrame(
        JSON.stringify({ type: 'start_session', data: { session_id: `s${index}`, runtime_type: runtimeType, agent_id: 'main' } }),
      );
      if (!decoded.ok) throw new Error(decoded.error.reason);
      const frame = decoded.value as CommandFrame;
      state.apply({ k: 'down', fseq: index + 1, frame });
      runtime.dispatch(frame);
    }
    expect(started.map(([name, data]) => [name, data.map(({ session_id: id, runtime_type: type }) => [id, type])])).toEqual([
      ['openclaw', [['s0', 'openclaw']]],
      ['semigraph', [['s1', 'semigraph']]],
      ['semigraph', [['s2', 'semigraph']]],
    ]);
  });
});
