import { waitFor } from '@plexus/testing';
import { GatewayProcess } from './support/gateway-process.js';
import type { TestGateway } from './support/test-mesh.js';
import { VmWorld } from './support/vm-world.js';

const PATIENT = { timeoutMs: 60_000 };
/** In every payload; must be in no log. */
const MARK = 'PAYLOAD-a7c31e';
const MIB = 1024 * 1024;

const HARMLESS: readonly (readonly [string, string])[] = [
  ['no JSON', `{${MARK}`],
  ['a list', `["${MARK}"]`],
  ['2 MiB of text', `"${MARK}${'x'.repeat(2 * MIB)}"`],
  ['200 levels', `${'['.repeat(200)}"${MARK}"${']'.repeat(200)}`],
  ['__proto__', `{"type":"heartbeat","active_sessions":[],"__proto__":{"${MARK}":1}}`],
  ['constructor', `{"type":"heartbeat","active_sessions":[],"constructor":{"prototype":{"${MARK}":1}}}`],
  ['more than 10,000 keys', `{"type":"heartbeat","${MARK}":{${Array.from({ length: 10_001 }, (_, index) => `"k${index}":0`).join(',')}}}`],
  ['a type that does not exist', `{"type":"nonsense","content":"${MARK}"}`],
  ['a frame without its fields', `{"type":"sse_event","content":"${MARK}"}`],
  ['no text at all', ''],
];

describe('C7: frames that are not what the protocol says', () => {
  let world: VmWorld;
  let process: GatewayProcess;
  let gateway: TestGateway;

  beforeAll(async () => {
    world = await VmWorld.start({ GATEWAY_VM_FRAMES_PER_SECOND: '1', GATEWAY_VM_FRAME_BURST: '50' });
    process = GatewayProcess.spawn({
      ...world.mesh.env('gateway'),
      LOG_LEVEL: 'trace',
      GATEWAY_PORT: '0',
      GATEWAY_TOKEN_FILE: world.mesh.state.paths.token,
      GATEWAY_VM_BEAT_MS: '50',
      GATEWAY_VM_FRAME_BYTES: String(4 * MIB),
    });
    gateway = { ...(await process.ready()), internal: '', stop: async () => undefined };
  });
  afterEach(() => world.reset());
  afterAll(async () => {
    await process?.end();
    await world?.stop();
  });

  it('finding 14: are skipped one by one while they are harmless, and what comes behind them works; no log has their content', async () => {
    const session = world.session();
    const { vm, client, record } = await world.connected({ sessions: [session], gateway });
    for (const [index, [, frame]] of HARMLESS.entries()) {
      client.send(frame);
      vm.event(session.sessionId, 'run-1', index + 1, { type: 'text_chunk', content: `${index}` });
    }
    await waitFor(() => vm.sender.acked === HARMLESS.length, { what: 'every ack', ...PATIENT });
    expect((await world.stored(session.sessionId)).map(({ event }) => event.content)).toEqual(HARMLESS.map((_, index) => `${index}`));
    expect([client.closed, record.submitted]).toEqual([undefined, []]);
    await waitFor(() => process.output.split('a bad frame of a VM was skipped').length - 1 === HARMLESS.length, { what: 'a line for each', ...PATIENT });
    expect(process.output).not.toContain(MARK);
  });

  it('with a number and a bad body are consumed: they do not come again after a reconnect', async () => {
    const session = world.session();
    const { vm, record } = await world.connected({ sessions: [session], gateway });
    vm.offer({ type: 'sse_event', session_id: session.sessionId, data: { [MARK]: 1 } });
    vm.event(session.sessionId, 'run-1', 1, { type: 'text_chunk', content: 'x' });
    await waitFor(() => vm.sender.acked === 2, { what: 'the acks', ...PATIENT });
    expect(record.submitted).toEqual([{ fseq: 1, frame: { type: 'refused', refusedType: 'sse_event', reason: 'data: invalid_type' } }]);
    vm.cut();
    await world.connect(vm, gateway);
    vm.event(session.sessionId, 'run-1', 2, { type: 'text_chunk', content: 'y' });
    await waitFor(() => vm.sender.acked === 3, { what: 'the ack of the next', ...PATIENT });
    expect(record.submitted).toHaveLength(1);
    expect(process.output).not.toContain(MARK);
  });

  it('close a plain runtime with the documented code when they are not harmless', async () => {
    const cases: readonly [number, string, (send: (frame: string | Buffer) => void) => void][] = [
      [1003, 'binary frames are not accepted', (send) => send(Buffer.from(`{"type":"heartbeat","active_sessions":["${MARK}"]}`))],
      [1009, '', (send) => send(`"${MARK}${'x'.repeat(4 * MIB)}"`)],
      [
        4400,
        'too many bad frames',
        (send) => {
          for (let index = 0; index < 20; index += 1) send(`{${MARK}`);
        },
      ],
    ];
    for (const [code, reason, act] of cases) {
      const { runtime } = world.plain({ CONTROL_PLANE_WS: `${gateway.ws}/ws/vm` });
      await runtime.connect();
      await waitFor(() => runtime.received.length === 1, { what: 'init', ...PATIENT });
      act((frame) => runtime.send(frame));
      expect(await waitFor(() => runtime.closes[0], { what: `the close with ${code}`, ...PATIENT })).toEqual({ code, reason });
    }
    expect(process.output).not.toContain(MARK);
  });

  it('of more than 64 KiB are refused before anybody has authenticated', async () => {
    const { runtime } = world.plain({ VM_TOKEN: 'x'.repeat(70_000) });
    await runtime.connect();
    expect(await waitFor(() => runtime.closes[0]?.code, { what: 'the close', ...PATIENT })).toBe(1009);
  });

  it('that come faster than the setting allows close a plain runtime with 4029: the burst first, then nothing more', async () => {
    const { runtime, session } = world.plain();
    await runtime.connect();
    await waitFor(() => runtime.received.length === 1, { what: 'init', ...PATIENT });
    for (let seq = 1; seq <= 40; seq += 1) runtime.event(session.sessionId, { type: 'text_chunk', content: 'x' }, seq);
    await waitFor(() => runtime.received.some(({ type, seq }) => type === 'ack' && seq === 40), { what: 'the ack of the burst', ...PATIENT });
    for (let index = 0; index < 200; index += 1) runtime.heartbeat();
    expect(await waitFor(() => runtime.closes[0], { what: 'the close', ...PATIENT })).toEqual({ code: 4029, reason: 'rate limited' });
  });

  it('that are missing are asked for; when they do not come, the connection ends with 4410', async () => {
    const { client } = await world.connected({ gateway });
    client.send({ type: 'run_accepted', session_id: 's', run_id: 'r', fseq: 3 });
    expect(await client.frame('nack')).toEqual({ type: 'nack', expected: 1 });
    expect(await client.end(PATIENT.timeoutMs)).toMatchObject({ code: 4410 });
  });

  it('do not include a replay that is faster than the rate limit: all of it is stored', async () => {
    const session = world.session();
    const { vm, client } = await world.connected({ sessions: [session], gateway });
    vm.cut();
    const EVENTS = 3_000;
    for (let runSeq = 1; runSeq <= EVENTS; runSeq += 1) vm.event(session.sessionId, 'run-f', runSeq, { type: 'text_chunk', content: 'x' });
    const again = await world.connect(vm, gateway);
    await waitFor(() => vm.sender.acked === EVENTS, { what: 'every ack', timeoutMs: 60_000 });
    expect([client.closed?.code, again.closed]).toEqual([1006, undefined]);
    expect((await world.stored(session.sessionId)).map(({ runSeq }) => runSeq)).toEqual(Array.from({ length: EVENTS }, (_, index) => index + 1));
  });
});
