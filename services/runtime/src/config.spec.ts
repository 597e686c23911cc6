import { readConfig } from './config.js';

const ENV = { VM_USER_ID: 'me', VM_ID: 'vm-1', VM_EPOCH: '7', CONTROL_PLANE_WS: 'wss://mesh/ws/vm', PLEXUS_WORKDIR: '/w' };
const LINE = { ticket: 't', token: 'k', bootstrapSecret: 's' };

function problemsOf(env: Record<string, string>, line: string): string[] {
  try {
    readConfig(env, line);
  } catch (error) {
    return (error as Error).message.split('\n').slice(1);
  }
  return [];
}

describe('what the runtime is started with', () => {
  it('is read from environment and first line, with defaults', () => {
    const config = readConfig({ ...ENV, PATH: '/bin', PLEXUS_MODEL: '', NODE_OPTIONS: '--inspect' }, JSON.stringify(LINE));
    expect(config).toEqual({
      userId: 'me',
      vmId: 'vm-1',
      epoch: 7,
      gatewayUrl: 'wss://mesh/ws/vm',
      workdir: '/w',
      syncCommands: false,
      sessionRetentionMs: 86_400_000,
      logLevel: 'info',
      model: {},
      ...LINE,
      orphanPolicy: 'adopt',
      toolEnvironment: { PATH: '/bin' },
    });
  });

  it('takes what is set instead of the defaults', () => {
    const env = {
      ...ENV,
      LOG_LEVEL: 'debug',
      PLEXUS_JOURNAL_SYNC: 'commands',
      PLEXUS_MODEL_BASE_URL: 'http://m',
      PLEXUS_MODEL: 'm',
      PLEXUS_SESSION_RETENTION_MS: '0',
      OPENCLAW_BRIDGE_COMMAND: '["node","b.mjs"]',
    };
    expect(readConfig(env, JSON.stringify({ ...LINE, modelApiKey: 'key', orphanPolicy: 'die' }))).toMatchObject({
      logLevel: 'debug',
      syncCommands: true,
      sessionRetentionMs: 0,
      model: { baseUrl: 'http://m', model: 'm', apiKey: 'key' },
      orphanPolicy: 'die',
      bridgeCommand: ['node', 'b.mjs'],
    });
  });

  it('is refused with every name that is missing or wrong, each once', () => {
    const named = problemsOf(
      { VM_EPOCH: '1.5', CONTROL_PLANE_WS: 'http://x', LOG_LEVEL: 'loud', PLEXUS_SESSION_RETENTION_MS: '-1', OPENCLAW_BRIDGE_COMMAND: '["node",1]' },
      '{"token":7,"ticket":""}',
    );
    expect(
      named
        .map(
          (line) =>
            line
              .trim()
              .replace(/^first line of stdin: /, '')
              .split(':')[0],
        )
        .sort(),
    ).toEqual(
      [
        'CONTROL_PLANE_WS',
        'LOG_LEVEL',
        'OPENCLAW_BRIDGE_COMMAND',
        'PLEXUS_SESSION_RETENTION_MS',
        'PLEXUS_WORKDIR',
        'VM_EPOCH',
        'VM_ID',
        'VM_USER_ID',
        'bootstrapSecret',
        'ticket',
        'token',
      ].sort(),
    );
  });

  it.each(['hunter2', '{"token":"hunter2"', '["hunter2"]', '"hunter2"', 'null', `{"ticket":"t","token":"${'hunter2'.repeat(2_000)}","bootstrapSecret":"s"}`])(
    'quotes nothing of a first line that does not fit (%#)',
    (line) => {
      const problems = problemsOf(ENV, line);
      expect(problems.length).toBeGreaterThan(0);
      expect(problems.join()).toContain('first line of stdin');
      expect(problems.join()).not.toContain('hunter2');
    },
  );
});
