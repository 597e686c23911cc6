import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { CircuitBreaker } from './circuit-breaker.js';
import { FakeClock } from './fake-clock.js';

interface Vector {
  name: string;
  input: { threshold: number; resetMs: number; steps: { at: number; op: 'failure' | 'success' | 'canAttempt' }[] };
  expected: { result: boolean | null; state: string; events: string[] }[];
}
const vectors = JSON.parse(readFileSync(new URL('../test/vectors/circuit-breaker.json', import.meta.url), 'utf8')) as Vector[];

describe('circuit breaker', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('vector: %s', (_, { input, expected }) => {
    let now = 0;
    let events: string[] = [];
    const breaker = new CircuitBreaker({ ...input, clock: { now: () => now }, onTransition: (name) => events.push(`relay.circuit_breaker.${name}`) });
    const seen = input.steps.map(({ at, op }) => {
      now = at;
      events = [];
      const result = breaker[op]() ?? null;
      return { result, state: breaker.state, events };
    });
    expect(seen).toEqual(expected);
  });

  const opened = async (clock: FakeClock): Promise<CircuitBreaker> => {
    const breaker = new CircuitBreaker({ threshold: 2, resetMs: 1_000, clock });
    for (let i = 0; i < 2; i++) await breaker.run(() => Promise.reject(new Error('down'))).catch(() => undefined);
    expect(breaker.state).toBe('open');
    return breaker;
  };

  it('lets exactly one of many concurrent calls through as the probe', async () => {
    const clock = new FakeClock();
    const breaker = await opened(clock);
    await clock.advance(1_000);
    let calls = 0;
    let answer: (value: string) => void = () => undefined;
    const results = Array.from({ length: 50 }, () =>
      breaker.run(() => {
        calls++;
        return new Promise<string>((resolve) => {
          answer = resolve;
        });
      }),
    );
    const refused = Promise.allSettled(results.slice(1));
    answer('up');
    expect(await results[0]).toBe('up');
    for (const result of await refused) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'UNAVAILABLE', retryable: true } });
    expect([calls, breaker.state]).toEqual([1, 'closed']);
  });

  it('is not fooled by the late success of a call from before it opened', async () => {
    const clock = new FakeClock();
    const breaker = new CircuitBreaker({ threshold: 1, resetMs: 1_000, clock });
    let finishOld: (value: string) => void = () => undefined;
    const old = breaker.run(
      () =>
        new Promise<string>((resolve) => {
          finishOld = resolve;
        }),
    );
    await breaker.run(() => Promise.reject(new Error('down'))).catch(() => undefined);
    await clock.advance(1_000);
    expect(breaker.canAttempt()).toBe(true);
    finishOld('late');
    await old;
    expect(breaker.state).toBe('half_open');
  });

  it('gives a probe that never reports up after the reset time', async () => {
    const clock = new FakeClock();
    const breaker = await opened(clock);
    await clock.advance(1_000);
    expect([breaker.canAttempt(), breaker.canAttempt()]).toEqual([true, false]);
    await clock.advance(1_000);
    expect([breaker.canAttempt(), breaker.canAttempt()]).toEqual([true, false]);
  });

  it('does not count errors that say nothing about the resource', async () => {
    const breaker = new CircuitBreaker({ threshold: 1 });
    await breaker
      .run(
        () => Promise.reject(new Error('not found')),
        () => false,
      )
      .catch(() => undefined);
    expect(breaker.state).toBe('closed');
  });

  it('never lets two probes overlap within the reset time, whatever happens', () => {
    const step = fc.record({ wait: fc.integer({ min: 0, max: 150 }), op: fc.constantFrom('failure' as const, 'success' as const, 'canAttempt' as const) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
        let now = 0;
        const breaker = new CircuitBreaker({ threshold: 3, resetMs: 100, clock: { now: () => now } });
        let probeAt: number | undefined;
        for (const { wait, op } of steps) {
          now += wait;
          if (op !== 'canAttempt') breaker[op]();
          const before = breaker.state;
          if (op === 'canAttempt' && breaker.canAttempt() && before !== 'closed') {
            if (before === 'half_open') expect(now - (probeAt as number)).toBeGreaterThanOrEqual(100);
            probeAt = now;
          }
        }
      }),
    );
  });

  it('refuses settings that make no sense', () => {
    expect(() => new CircuitBreaker({ threshold: 0 })).toThrow('0');
    expect(() => new CircuitBreaker({ resetMs: -1 })).toThrow('-1');
  });
});
