import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fakeMessage, fakeSession } from './support/commands.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { Passage } from './support/passage.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

let gateway: GatewayStandIn;
let folder: ReturnType<typeof scratchFolder>;
let runtimes: RuntimeProcess[];

beforeEach(async () => {
  gateway = await GatewayStandIn.start();
  folder = scratchFolder();
  runtimes = [];
});

afterEach(async () => {
  for (const runtime of runtimes) await runtime.kill();
  await gateway.stop();
  folder.remove();
});

function launch(options: Partial<Parameters<typeof RuntimeProcess.launch>[0]> = {}): RuntimeProcess {
  const runtime = RuntimeProcess.launch({ url: gateway.url, workdir: folder.path, ...options });
  runtimes.push(runtime);
  return runtime;
}

async function expectEcho(runId: string, sessionId = 's1'): Promise<void> {
  gateway.push(fakeMessage(sessionId, runId, 'hi'));
  await until(`the end of ${runId}`, () => gateway.endOf(runId) !== undefined);
}

describe('a VM that waited in a pool', () => {
  it('takes over the identity of its owner and reconnects as that owner, with the token that came along', async () => {
    launch();
    await until('the connection', () => gateway.isConnected && gateway.greetings.length === 1);
    gateway.push({ type: 'bind', data: { user_id: 'kim', org_id: 'acme', token: 'token-of-kim' } });
    await until('bind is taken', () => gateway.unackedCommands() === 0);
    gateway.cut();
    await until('the next connection', () => gateway.greetings.length === 2);
    expect(gateway.greetings[1]).toMatchObject({ userId: 'kim', auth: { token: 'token-of-kim' } });
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
  });
});

describe('start-up', () => {
  it('names every variable that is missing or wrong, at once, and exits 78', async () => {
    const runtime = launch({ url: 'http://nowhere', env: { VM_EPOCH: 'zero', VM_USER_ID: '' } });
    expect((await runtime.exited).code).toBe(78);
    for (const name of ['VM_USER_ID', 'VM_EPOCH', 'CONTROL_PLANE_WS']) expect(runtime.stderr).toContain(name);
  });

  it.each([
    ['{"ticket":"t","bootstrapSecret":"s"}\n', 'token'],
    ['{"token":"t","bootstrapSecret":"s"}\n', 'ticket'],
    ['{"token":"t","ticket":"s"}\n', 'bootstrapSecret'],
    ['not json hunter2\n', 'first line of stdin'],
    [`${'x'.repeat(70_000)}`, 'longer than'],
  ])('names what is missing in the first line of stdin and quotes nothing of it (%#)', async (stdin, named) => {
    const runtime = launch({ stdin });
    expect((await runtime.exited).code).toBe(78);
    expect(runtime.stderr).toContain(named);
    expect(runtime.stderr).not.toContain('hunter2');
  });

  it('exits 78 when stdin is closed before anything came', async () => {
    const runtime = launch({ stdin: '' });
    runtime.child.stdin?.end();
    expect((await runtime.exited).code).toBe(78);
    expect(runtime.stderr).toContain('stdin was closed');
  });

  it('exits 1 and says so when the work folder cannot be used', async () => {
    const runtime = launch({ workdir: '/dev/null/nowhere' });
    expect((await runtime.exited).code).toBe(1);
    expect(runtime.stderr).toContain('/dev/null/nowhere');
  });
});

describe('connection', () => {
  it('shows the ticket on the first connection only, with the same nonce, and never the token in the address', async () => {
    launch();
    await until('the first connection', () => gateway.isConnected);
    await until('a heartbeat', () => gateway.heartbeats.length > 0);
    gateway.cut();
    await until('the second connection', () => gateway.isConnected && gateway.greetings.length === 2);
    const [first, second] = gateway.greetings;
    expect(first).toMatchObject({
      userId: 'me',
      ticket: 'ticket-1',
      auth: { token: 'token-1', protocol: 2, vm_id: 'vm-1', epoch: 1, recv_seq: 0, sent_seq: 0 },
    });
    expect(second?.ticket).toBeNull();
    expect(second?.auth.client_nonce).toBe(first?.auth.client_nonce);
    await until('resume', () => gateway.frames.some((frame) => frame.type === 'resume'));
  });

  it('shows the ticket again when init was lost', async () => {
    gateway.onGreeting = (socket) => {
      const first = gateway.greetings.length === 1;
      if (first) socket.terminate();
      return first;
    };
    launch();
    await until('the second greeting', () => gateway.greetings.length === 2);
    expect(gateway.greetings.map((one) => one.ticket)).toEqual(['ticket-1', 'ticket-1']);
  });

  it('comes back after a restart of the gateway at the same address and says how far it had come', async () => {
    const passage = await Passage.open();
    try {
      launch({ url: passage.url(gateway.url) });
      gateway.push(fakeSession('s1'));
      await expectEcho('r1');
      const sent = gateway.stored.at(-1)?.fseq;
      passage.port = undefined;
      await gateway.stop();
      gateway = await GatewayStandIn.start();
      gateway.onGreeting = (socket) => {
        // A mesh that has lost everything cannot be told so by `init`; here only the greeting matters.
        socket.close(4500);
        return true;
      };
      passage.url(gateway.url);
      await until('a greeting', () => gateway.greetings.length > 0);
      expect(gateway.greetings[0]).toMatchObject({
        ticket: null,
        auth: { recv_seq: 2, sessions: [{ session_id: 's1', run_state: 'idle', snapshot_version: expect.any(Number) }] },
      });
      expect(gateway.greetings[0]?.auth.sent_seq).toBeGreaterThanOrEqual(sent as number);
    } finally {
      await passage.close();
    }
  });

  it.each([
    [4409, 79],
    [4009, 79],
    [4001, 77],
    [4004, 77],
  ])('ends the process when it is closed with %i, exit code %i', async (code, exit) => {
    const runtime = launch();
    await until('the connection', () => gateway.isConnected);
    gateway.closeWith(code);
    expect((await runtime.exited).code).toBe(exit);
  });

  it('ends with 79 when the greeting is answered with fenced, whatever closes the socket', async () => {
    gateway.onGreeting = (socket) => {
      socket.send('{"type":"fenced","current_epoch":9}', () => socket.terminate());
      return true;
    };
    expect((await launch().exited).code).toBe(79);
  });

  it.each([1012, 4400, 4410, 4413, 4500])('comes back after %i', async (code) => {
    launch();
    await until('a heartbeat', () => gateway.heartbeats.length > 0);
    gateway.closeWith(code);
    await until('the second connection', () => gateway.isConnected && gateway.greetings.length === 2);
  });

  it('ends with 1 when the mesh lacks events that it had acked: that cannot be repaired', async () => {
    const runtime = launch();
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
    gateway.beforeInit = [{ type: 'init', protocol: 2, server_recv_seq: 0, data: { user_id: 'me', org_id: 'o' } }];
    gateway.cut();
    expect((await runtime.exited).code).toBe(1);
    expect(runtime.logged('stopped')[0]).toMatchObject({ code: 1, reason: expect.stringContaining('the mesh has uplink frames up to 0') });
  });

  it('does not talk to a mesh without the reliable profile, and goes on trying', async () => {
    gateway.onGreeting = (socket) => {
      socket.send('{"type":"init","data":{"user_id":"me","org_id":"o"}}');
      return true;
    };
    const runtime = launch();
    await until('two attempts', () => gateway.greetings.length >= 2);
    expect(runtime.logged('connection dropped')[0]).toMatchObject({ reason: 'the mesh does not speak protocol 2' });
  });

  it('uses a refreshed token from the next connection on and keeps secrets out of log and journal', async () => {
    const runtime = launch({ env: { LOG_LEVEL: 'debug' } });
    await until('the connection', () => gateway.isConnected);
    gateway.raw('{"type":"token_refresh","token":"token-2"}');
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
    gateway.cut();
    await until('the second connection', () => gateway.greetings.length === 2);
    expect(gateway.greetings[1]?.auth.token).toBe('token-2');
    const journal = readdirSync(path.join(folder.path, 'runtime')).map((name) => readFileSync(path.join(folder.path, 'runtime', name), 'utf8'));
    for (const secret of ['token-1', 'token-2', 'ticket-1', 'secret-1']) for (const text of [runtime.stderr, ...journal]) expect(text).not.toContain(secret);
  });
});

describe('frames', () => {
  it('survives bad ones, and consumes a bad reliable one so that it is not sent for ever', async () => {
    const runtime = launch();
    await until('the connection', () => gateway.isConnected);
    for (const bad of [
      '{',
      '[]',
      '"x"',
      '{"type":"surprise"}',
      '{"type":"init","__proto__":{}}',
      `{"type":"drain","x":${'['.repeat(200)}${']'.repeat(200)}}`,
      Buffer.from([1, 2, 3]),
    ])
      gateway.raw(bad);
    gateway.push({ type: 'user_message', session_id: 7, data: 'content-7' });
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
    await until('all commands acked', () => gateway.unackedCommands() === 0);
    expect(gateway.connections).toBe(1);
    expect(runtime.logged('frame refused').length).toBeGreaterThanOrEqual(8);
    expect(runtime.stderr).not.toContain('content-7');
  });

  it('refuses a command without a number: nothing could say that it has arrived', async () => {
    const runtime = launch();
    await until('the connection', () => gateway.isConnected);
    gateway.raw(JSON.stringify(fakeSession('s1')));
    await until('the refusal', () => runtime.logged('frame refused').length === 1);
    expect(runtime.logged('frame refused')[0]).toMatchObject({ reason: 'a reliable frame without fseq', type: 'start_session' });
  });

  it('asks for a command that was lost and carries out all of them in order', async () => {
    launch();
    await until('the connection', () => gateway.isConnected);
    gateway.pushLost(fakeSession('s1'));
    await expectEcho('r1');
    expect(gateway.frames.filter((frame) => frame.type === 'nack')).toEqual([{ type: 'nack', expected: 1 }]);
    await until('all commands acked', () => gateway.unackedCommands() === 0);
  });

  it('finding 7: C4: carries out once, after acceptance, what a faulty gateway sends before init or the answer to resume', async () => {
    launch();
    await until('a heartbeat', () => gateway.heartbeats.length > 0);
    gateway.answerResume = false;
    gateway.beforeInit = [{ ...fakeSession('s1'), fseq: 1 }];
    gateway.cut();
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'hi'));
    await until('the question', () => gateway.frames.some((frame) => frame.type === 'resume'));
    gateway.beforeInit = [];
    gateway.raw('{"type":"resume_response","results":{}}');
    await until('the end of r1', () => gateway.endOf('r1') !== undefined);
    await expectEcho('r2');
    await until('all commands acked', () => gateway.unackedCommands() === 0);
    expect(gateway.eventsOf('r1').filter(({ event }) => event.type === 'execution_complete')).toHaveLength(1);
    expect(gateway.connections).toBe(2);
  });

  it('ends the messages of a session whose runtime type cannot run here, and says why', async () => {
    launch();
    gateway.push(fakeSession('s1', { runtime_type: 'openclaw' }));
    await expectEcho('r1');
    expect(gateway.endOf('r1')).toMatchObject({ type: 'execution_error', code: 'MODEL_UNAVAILABLE' });
  });
});

describe('heartbeats', () => {
  it('name the sessions that have something to do', async () => {
    gateway.heartbeatMs = 100;
    launch();
    gateway.push(fakeSession('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'a rather long message that takes a while '.repeat(20)));
    await until('a busy heartbeat', () => gateway.heartbeats.some((beat) => beat.active_sessions.includes('s1')));
    await until('the end of r1', () => gateway.endOf('r1') !== undefined);
    const before = gateway.heartbeats.length;
    await until('an idle heartbeat', () => gateway.heartbeats.slice(before + 1).some((beat) => beat.active_sessions.length === 0));
  });

  it('finding 15: that go unanswered drop the socket, and the loop goes on with the next one', async () => {
    gateway.heartbeatMs = 100;
    gateway.answerHeartbeats = false;
    const runtime = launch();
    await until('a second connection', () => gateway.greetings.length >= 2);
    expect(runtime.logged('connection dropped')[0]).toMatchObject({ reason: 'heartbeats go unanswered' });
    gateway.answerHeartbeats = true;
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
    const seen = gateway.heartbeats.length;
    await until('further heartbeats', () => gateway.heartbeats.length > seen + 3);
  });
});

describe('the process', () => {
  it('rests within 90 MB, also after a run', async () => {
    const runtime = launch();
    gateway.push(fakeSession('s1'));
    await until('a heartbeat', () => gateway.heartbeats.length > 0);
    // A collection of garbage may be due at the moment of a look: what counts is what it comes down to.
    const rests = (): boolean => runtime.residentMegabytes() < 90;
    await until('it to rest within 90 MB', rests);
    await expectEcho('r1');
    await until('it to rest within 90 MB after a run', rests);
  });

  it('lives on when stdin is closed, unless it was told to die with its parent', async () => {
    const adopted = launch();
    await until('the connection', () => gateway.isConnected);
    adopted.child.stdin?.end();
    gateway.push(fakeSession('s1'));
    await expectEcho('r1');
    await adopted.kill();

    gateway.currentEpoch = 2;
    const bound = launch({ epoch: 2, secrets: { orphanPolicy: 'die' } });
    await until('the connection', () => gateway.greetings.length === 2);
    bound.child.stdin?.end();
    expect((await bound.exited).code).toBe(0);
  });
});
