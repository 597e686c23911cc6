import { waitFor } from '@plexus/testing';
import { EventReader } from './support/event-reader.js';
import { GatewayProcess } from './support/gateway-process.js';
import { TestVm } from './support/test-vm.js';
import { VmWorld } from './support/vm-world.js';

const EVENTS = 5_000;
const CUTS = 20;
/** After these cuts the VM comes back to another gateway; the first time because the one before was killed. */
const MOVES = [6, 13];
const PATIENT = { timeoutMs: 120_000 };

/** Numbers that look random and are the same in every run of the test. */
function* pseudoRandom(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

describe('C3: a run of 5,000 events', () => {
  let world: VmWorld;
  const processes: GatewayProcess[] = [];

  beforeAll(async () => {
    world = await VmWorld.start();
  });
  afterEach(async () => {
    world.reset();
    await Promise.all(processes.splice(0).map((gateway) => gateway.end()));
  });
  afterAll(() => world?.stop());

  async function spawn() {
    const gateway = GatewayProcess.spawn({
      ...world.mesh.env('gateway'),
      LOG_LEVEL: 'warn',
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN_FILE: world.mesh.state.paths.token,
    });
    processes.push(gateway);
    return { gateway, address: { ...(await gateway.ready()), internal: '', stop: async () => undefined } };
  }

  it('is stored gapless, once, in order and with one end, although its socket is cut 20 times and it changes its gateway twice', async () => {
    const session = world.session();
    const [first, second] = await Promise.all([spawn(), spawn()]);
    const homes = [first.address, second.address, world.gateway];
    const { vmId } = world.create([session]);
    const vm = new TestVm(vmId);
    await world.connect(vm, homes[0]);

    const random = pseudoRandom(20_260_223);
    const thresholds = Array.from({ length: CUTS }, () => 1 + Math.floor(random.next().value * (EVENTS - 500))).sort((a, b) => a - b);
    let runSeq = 0;
    let home = 0;
    for (const [cut, threshold] of thresholds.entries()) {
      while (runSeq < threshold + 250) {
        runSeq += 1;
        vm.event(session.sessionId, 'run-c3', runSeq, { type: 'text_chunk', content: `${runSeq} ` });
      }
      // Some of what was sent is acked, some is on its way, some is still here.
      await waitFor(() => vm.sender.acked >= threshold, { what: `the ack of ${threshold}`, ...PATIENT });
      if (cut === MOVES[0]) {
        first.gateway.kill('SIGKILL');
        await first.gateway.exited;
      }
      vm.cut();
      if (MOVES.includes(cut)) home += 1;
      await world.connect(vm, homes[home]);
    }
    while (runSeq < EVENTS - 1) {
      runSeq += 1;
      vm.event(session.sessionId, 'run-c3', runSeq, { type: 'text_chunk', content: `${runSeq} ` });
    }
    vm.event(session.sessionId, 'run-c3', EVENTS, { type: 'execution_complete' });
    await waitFor(() => vm.sender.acked === EVENTS, { what: 'every ack', ...PATIENT });

    const stored = await world.stored(session.sessionId);
    expect(stored.map((event) => event.runSeq)).toEqual(Array.from({ length: EVENTS }, (_, index) => index + 1));
    expect(stored.filter(({ event }) => event.type !== 'text_chunk').map(({ runSeq: at, event }) => [at, event.type])).toEqual([
      [EVENTS, 'execution_complete'],
    ]);

    // Whoever resumes from any of the last 500 sees the rest, once.
    const token = await world.mesh.jwt({ sub: 'me' });
    const url = `${second.address.http}/v1/sessions/${encodeURIComponent(session.sessionKey)}/stream`;
    world.owners.sessions.set('me', [{ ...session, kind: 'direct', createdAt: '2026-11-21T10:00:00Z', updatedAt: '2026-11-21T10:00:00Z', messageCount: 1 }]);
    const last = await world.mesh.operator.lastOnSubject('PLEXUS_EVT_SESSION', `plexus.evt.default.session.event.v1.${session.sessionId}`);
    const stream = new EventReader(url, { authorization: `Bearer ${token}`, 'last-event-id': String((last?.seq ?? 0) - 100) });
    await waitFor(() => stream.types().includes('execution_complete'), { what: 'the replay', ...PATIENT });
    stream.close();
    expect(stream.events.map(({ data }) => data.runSeq)).toEqual(Array.from({ length: 100 }, (_, index) => EVENTS - 99 + index));
  }, 300_000);
});
