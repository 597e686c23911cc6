import { createLogger } from './create-logger.js';

const capture = () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ service: 'routing', instanceId: 'routing-1', level: 'info', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  return { lines, log };
};

describe('createLogger', () => {
  it('writes one JSON object per line with level, time, service, instance and message', () => {
    const { lines, log } = capture();
    log.info({ runId: 'r1' }, 'run accepted');
    expect(lines).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/), service: 'routing', instance: 'routing-1', runId: 'r1', message: 'run accepted' },
    ]);
  });

  it('redacts fields, messages, errors and whatever children bind', () => {
    const { lines, log } = capture();
    log.info({ token: 'hunter2', request: { headers: { authorization: 'hunter2' } } }, 'connecting to nats://a:hunter2@host');
    log.error(new Error('bad Bearer hunter2hunter2'));
    log.warn({ error: Object.assign(new Error('x'), { secret: 'hunter2' }) }, 'failed %s', 'Bearer hunter2hunter2');
    log.child({ part: 'bus', password: 'hunter2' }).child({ consumer: 'c', token: 'hunter2' }).info('hello');
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatchObject({ error: { type: 'Error', message: 'bad Bearer [redacted]' } });
    expect(lines[3]).toMatchObject({ part: 'bus', consumer: 'c', message: 'hello' });
  });

  it('leaves out what is below its level', () => {
    const { lines, log } = capture();
    log.debug('detail');
    expect(lines).toEqual([]);
  });
});
