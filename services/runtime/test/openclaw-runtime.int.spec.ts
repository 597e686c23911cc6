import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fakeMessage, fakeSession } from './support/commands.js';
import { GatewayStandIn } from './support/gateway-stand-in.js';
import { RuntimeProcess, scratchFolder, until } from './support/runtime-process.js';

const SCRIPTED = fileURLToPath(new URL('./support/scripted-bridge.mjs', import.meta.url));
const PATIENCE_MS = 60_000;
const KEY = 'the-model-key-4471';

const session = (id: string) => fakeSession(id, { runtime_type: 'openclaw' });

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('a runtime with sessions of kind openclaw', () => {
  const folder = scratchFolder();
  let gateway: GatewayStandIn;
  let runtime: RuntimeProcess;

  beforeAll(async () => {
    gateway = await GatewayStandIn.start();
    gateway.onRequest = (request) => ({ result: { results: [request.method] } });
    runtime = RuntimeProcess.launch({
      url: gateway.url,
      workdir: folder.path,
      env: {
        OPENCLAW_BRIDGE_COMMAND: JSON.stringify([process.execPath, SCRIPTED]),
        PLEXUS_MODEL_BASE_URL: 'http://127.0.0.1:9/v1',
        PLEXUS_MODEL: 'm',
        ASKED_FOR: 'yes',
      },
      secrets: { modelApiKey: KEY },
    });
  });
  afterAll(async () => {
    await runtime.kill();
    await gateway.stop();
    folder.remove();
  });

  const endOf = async (runId: string) => {
    await until(`the end of ${runId}`, () => gateway.endOf(runId) !== undefined, PATIENCE_MS);
    return gateway.endOf(runId);
  };

  it('answers, asks the mesh and tells it; a crash ends the run and not the session; when the runtime stops nothing of it is left', async () => {
    gateway.push(session('s1'));
    gateway.push(fakeMessage('s1', 'r1', 'say hello'));
    expect(await endOf('r1')).toMatchObject({ type: 'execution_complete', content: 'hello', usage: { input_tokens: 1, output_tokens: 2 } });

    gateway.push(fakeMessage('s1', 'r2', 'ask for it'));
    expect(await endOf('r2')).toMatchObject({ content: '{"results":["memory_search"]}' });
    gateway.push(fakeMessage('s1', 'r3', 'tell something'));
    await endOf('r3');
    await until('what the bridge told', () => gateway.frames.some((frame) => frame.type === 'fire_and_forget' && frame.method === 'audit_log'), PATIENCE_MS);
    await until('a snapshot of the bridge', () => gateway.frames.some((frame) => JSON.stringify(frame).includes('"answered":')), PATIENCE_MS);

    gateway.push(fakeMessage('s1', 'r4', 'die'));
    expect(await endOf('r4')).toMatchObject({ type: 'execution_error', code: 'BRIDGE_EXITED' });
    gateway.push(fakeMessage('s1', 'r5', 'show'));
    const shown = JSON.parse(String((await endOf('r5'))?.content)) as { env: Record<string, string>; argv: string[]; told: string };
    expect(shown.told).toContain(KEY);
    expect(shown.env.ASKED_FOR).toBe('yes');
    expect(JSON.stringify([shown.env, shown.argv])).not.toMatch(new RegExp(`${KEY}|PLEXUS_|VM_|token-1|secret-1`));

    gateway.push(session('s2'));
    gateway.push(fakeMessage('s2', 'r6', 'hang'));
    await until('its process ids', () => gateway.textOf('r6').endsWith(']'), PATIENCE_MS);
    const pids = JSON.parse(gateway.textOf('r6')) as number[];
    await runtime.kill('SIGTERM');
    await until('the bridge and what it started to be gone', () => !pids.some(isRunning), PATIENCE_MS);
    const ends = (id: string) => gateway.eventsOf(id).filter(({ event }) => event.type.startsWith('execution_')).length;
    // The last one is not over: the next incarnation gets it.
    expect(['r1', 'r2', 'r3', 'r4', 'r5', 'r6'].map(ends)).toEqual([1, 1, 1, 1, 1, 0]);
    expect(runtime.stderr).not.toContain(KEY);
  }, 240_000);
});
