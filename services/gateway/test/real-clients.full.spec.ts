import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { openclawProgram, startTestMesh, type TestMesh, type ThrowAwayFolder, throwAwayFolder, waitFor } from '@plexus/testing';
import { RawClient } from './support/raw-client.js';

/** One start of the package takes some seconds, most of a minute on a busy machine. */
const PATIENCE_MS = 600_000;
const program = openclawProgram();

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly all: string;
}

if (program === undefined) {
  describe.skip('the published openclaw package against this gateway: it is not installed', () => {
    it('is tested where the package is installed', () => undefined);
  });
} else {
  describe('the published openclaw package against this gateway', () => {
    let mesh: TestMesh;
    let home: ThrowAwayFolder;
    const running: { child: ChildProcess; closed: Promise<void> }[] = [];

    beforeAll(async () => {
      mesh = await startTestMesh();
      home = throwAwayFolder('openclaw-home');
    }, PATIENCE_MS);
    afterEach(async () => {
      for (const { child } of running) child.kill('SIGKILL');
      await Promise.all(running.splice(0).map(({ closed }) => closed));
    });
    afterAll(async () => {
      await mesh?.stop();
      home?.remove();
    }, PATIENCE_MS);

    function start(
      args: readonly string[],
      env: Record<string, string> = {},
    ): { child: ChildProcess; closed: Promise<void>; output: () => string; stdout: () => string } {
      const child = spawn(program as string, args, {
        cwd: home.path,
        env: { PATH: process.env.PATH ?? '', HOME: home.path, NO_COLOR: '1', ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      const parts: string[] = [];
      const plain: string[] = [];
      child.stdout?.on('data', (data) => {
        parts.push(String(data));
        plain.push(String(data));
      });
      child.stderr?.on('data', (data) => parts.push(String(data)));
      const one = {
        child,
        closed: new Promise<void>((resolve) => child.once('close', () => resolve())),
        output: () => parts.join(''),
        stdout: () => plain.join(''),
      };
      running.push(one);
      return one;
    }
    async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
      const one = start(args, env);
      await waitFor(() => one.child.exitCode !== null || one.child.signalCode !== null, { what: `openclaw ${args.join(' ')}`, timeoutMs: PATIENCE_MS });
      await one.closed;
      return { code: one.child.exitCode, stdout: one.stdout(), all: one.output() };
    }
    const here = (): string[] => ['--url', mesh.gateway.ws, '--token', mesh.token];
    const byEnvironment = (): Record<string, string> => ({ OPENCLAW_GATEWAY_URL: mesh.gateway.ws, OPENCLAW_GATEWAY_TOKEN: mesh.token });
    async function call(method: string, params: unknown = {}): Promise<{ code: number | null; value: Record<string, unknown>; all: string }> {
      const { code, stdout, all } = await run(['gateway', 'call', method, ...here(), '--json', '--params', JSON.stringify(params)]);
      const from = stdout.indexOf('{');
      return { code, value: from < 0 ? {} : JSON.parse(stdout.slice(from)), all };
    }

    it(
      'gateway call, health and status are satisfied with what they get',
      async () => {
        expect(await call('health')).toMatchObject({ code: 0, value: { ok: true, defaultAgentId: 'main' } });
        const health = await run(['gateway', 'health', ...here()]);
        expect([health.code, health.all]).toEqual([0, expect.stringContaining('OK')]);
        const status = await run(['gateway', 'status', ...here()]);
        expect(status.all).toContain('Connectivity probe: ok');
        const unknown = await call('no.such.method');
        expect(unknown.code).not.toBe(0);
        expect(unknown.all).toContain('unknown method: no.such.method');
      },
      PATIENCE_MS,
    );

    it(
      'agent gets its answer, and presence, history and sessions can be read',
      async () => {
        const agent = await run(['agent', '--agent', 'main', '--message', 'hello from the real client'], byEnvironment());
        expect([agent.code, agent.all]).toEqual([0, expect.stringContaining('You said: hello from the real client')]);
        const logs = await run(['logs', ...here(), '--limit', '50']);
        expect([logs.code, logs.all]).toEqual([0, expect.stringContaining('gateway')]);
        const presence = await run(['system', 'presence', ...here()]);
        expect(presence.all).toContain('"mode": "cli"');
        const history = await call('chat.history', { sessionKey: 'agent:main:main' });
        expect(JSON.stringify(history.value)).toContain('hello from the real client');
        const sessions = await call('sessions.list');
        expect(JSON.stringify(sessions.value)).toContain('agent:main:main');
      },
      PATIENCE_MS,
    );

    it(
      'cron jobs are added, listed, run and removed',
      async () => {
        const added = await call('cron.add', {
          name: 'morning',
          schedule: { kind: 'cron', expr: '0 9 * * 1-5', tz: 'Europe/Berlin' },
          sessionTarget: 'isolated',
          wakeMode: 'now',
          payload: { kind: 'agentTurn', message: 'What happened in the night?' },
        });
        expect(added).toMatchObject({ code: 0, value: { name: 'morning', enabled: true } });
        const listed = await run(['cron', 'list', ...here()]);
        expect([listed.code, listed.all]).toEqual([0, expect.stringContaining('morning')]);
        const ran = await call('cron.run', { id: added.value.id });
        expect(ran).toMatchObject({ code: 0, value: { ok: true, ran: true } });
        const removed = await call('cron.remove', { id: added.value.id });
        expect(removed).toMatchObject({ code: 0, value: { ok: true, removed: true } });
      },
      PATIENCE_MS,
    );

    // The TUI needs a terminal, which `script` of util-linux lends it.
    const withTerminal = existsSync('/usr/bin/script') ? it : it.skip;
    withTerminal(
      'the TUI connects, sends a message and shows the answer',
      async () => {
        const command = `'${program}' tui --url ${mesh.gateway.ws} --token ${mesh.token}`;
        const child = spawn('/usr/bin/script', ['-qefc', command, '/dev/null'], {
          cwd: home.path,
          env: { PATH: process.env.PATH ?? '', HOME: home.path, TERM: 'xterm-256color', COLUMNS: '120', LINES: '40' },
          stdio: ['pipe', 'pipe', 'pipe'],
        });
        running.push({ child, closed: new Promise((resolve) => child.once('close', () => resolve())) });
        let screen = '';
        child.stdout.on('data', (data) => {
          screen += String(data);
        });
        await waitFor(() => /connected/.test(screen), { what: 'the TUI to connect', timeoutMs: PATIENCE_MS });
        child.stdin.write('hello from the screen');
        await waitFor(() => /hello from the screen/.test(screen), { what: 'what was typed', timeoutMs: PATIENCE_MS });
        child.stdin.write('\r');
        await waitFor(() => /You said: hello from the screen/.test(screen), { what: 'the answer on the screen', timeoutMs: PATIENCE_MS });
      },
      PATIENCE_MS,
    );

    it(
      'a node host connects, is listed, and runs a command',
      async () => {
        const { port } = new URL(mesh.gateway.http);
        const node = start(['node', 'run', '--host', '127.0.0.1', '--port', port], { OPENCLAW_GATEWAY_TOKEN: mesh.token });
        await waitFor(() => node.output().includes('connected'), { what: 'the node host to connect', timeoutMs: PATIENCE_MS });
        const operator = await RawClient.connect(mesh.gateway.ws, mesh.token);
        try {
          const listed = await waitFor(
            async () => (await operator.request('node.list', {})).payload.nodes.find((one: { connected: boolean }) => one.connected),
            {
              what: 'the node to be listed',
              timeoutMs: PATIENCE_MS,
            },
          );
          expect(listed.commands).toContain('system.which');
          const invoked = await operator.request('node.invoke', {
            nodeId: listed.nodeId,
            command: 'system.which',
            params: { bins: ['sh'] },
            idempotencyKey: 'real-1',
            timeoutMs: 60_000,
          });
          expect(invoked).toMatchObject({ ok: true, payload: { ok: true, command: 'system.which' } });
          expect(JSON.stringify(invoked.payload.payload)).toContain('/sh');
          const nodes = await run(['nodes', 'list', ...here()]);
          expect([nodes.code, nodes.all]).toEqual([0, expect.stringContaining(String(listed.nodeId).slice(0, 8))]);
        } finally {
          operator.close();
        }
      },
      PATIENCE_MS,
    );
  });
}
