import { spawnSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { classifyRejection, isAbortError, isTransientNetworkError } from './classify-rejection.js';
import { AbortedError, ConfigurationError, FatalError, TransientError } from './error-classes.js';
import { PlexusError } from './plexus-error.js';
import { installRejectionHandler, type RejectionHandlerOptions } from './rejection-handler.js';

interface ErrorSpec {
  type: string;
  errName?: string;
  message?: string;
  value?: unknown;
  cause?: ErrorSpec;
  errors?: ErrorSpec[];
  [field: string]: unknown;
}
interface Vector {
  name: string;
  input: { error: ErrorSpec | null };
  expected: { class: string; exit: boolean; isAbort: boolean; isTransientNetwork: boolean };
}

function build(spec: ErrorSpec | null): unknown {
  if (spec === null) return null;
  const { type, errName, message, value, cause, errors, ...rest } = spec;
  if (type === 'undefined') return undefined;
  if (type === 'string' || type === 'number') return value;
  if (type === 'symbol') return Symbol(String(value));
  const classes: Record<string, new (text?: string) => Error> = { Error, TypeError, RangeError };
  let built: Record<string, unknown>;
  if (type === 'object') built = message === undefined ? {} : { message };
  else if (type === 'aggregate') built = new AggregateError((errors ?? []).map(build), message) as unknown as Record<string, unknown>;
  else built = new (classes[type] ?? Error)(message) as unknown as Record<string, unknown>;
  if (type === 'self-cause') built.cause = built;
  if (cause) built.cause = build(cause);
  if (errName) built.name = errName;
  return Object.assign(built, rest);
}

const vectors = JSON.parse(readFileSync(new URL('../test/vectors/error-class.json', import.meta.url), 'utf8')) as Vector[];

describe('classification of unhandled rejections', () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))('vector: %s', (_, { input, expected }) => {
    const error = build(input.error);
    expect(isAbortError(error)).toBe(expected.isAbort);
    expect(isTransientNetworkError(error)).toBe(expected.isTransientNetwork);
    expect(classifyRejection(error)).toBe(expected.class);
    const { exits } = runHandler(error);
    expect(exits).toEqual(expected.exit ? [1] : []);
  });

  it('knows our own classes', () => {
    expect(classifyRejection(new AbortedError())).toBe('abort');
    expect(classifyRejection(new FatalError('x'))).toBe('fatal');
    expect(classifyRejection(new ConfigurationError('x', { code: 'SOMETHING_ELSE' }))).toBe('config');
    expect(classifyRejection(new TransientError('x'))).toBe('transient');
  });

  it('takes an unreachable part of the mesh for transient, and a defect inside it not', () => {
    const error = (code: string, status: number, retryable: boolean) => new PlexusError({ code, status, retryable, message: 'x' });
    expect(classifyRejection(error('NO_RESPONDERS', 503, true))).toBe('transient');
    expect(classifyRejection(error('TIMEOUT', 504, true))).toBe('transient');
    expect(classifyRejection(error('INTERNAL', 500, true))).toBe('unknown');
    expect(classifyRejection(error('NOT_FOUND', 404, false))).toBe('unknown');
  });

  it('ends on a chain of a million causes and on hostile getters', () => {
    let error: Error = Object.assign(new Error('deep'), { code: 'ECONNRESET' });
    for (let i = 0; i < 100_000; i++) error = new Error('wrap', { cause: error });
    expect(classifyRejection(error)).toBe('unknown');
    const hostile = Object.defineProperty({}, 'name', {
      get() {
        throw new Error('no');
      },
    });
    expect(classifyRejection(hostile)).toBe('unknown');
  });
});

function runHandler(error: unknown, options: Partial<RejectionHandlerOptions> = {}): { exits: number[]; logs: string[] } {
  const target = new EventEmitter();
  const exits: number[] = [];
  const logs: string[] = [];
  const remove = installRejectionHandler({
    log: (level, message) => logs.push(`${level} ${message}`),
    exit: (code) => exits.push(code),
    target: target as unknown as NodeJS.Process,
    ...options,
  });
  target.emit('unhandledRejection', error);
  remove();
  expect(target.listenerCount('unhandledRejection')).toBe(0);
  return { exits, logs };
}

describe('rejection handler', () => {
  it('asks the registered handlers first and goes on when one of them takes it', () => {
    const result = runHandler(new Error('theirs'), { handlers: [() => false, (error) => (error as Error).message === 'theirs'] });
    expect(result).toEqual({ exits: [], logs: [] });
  });

  it('does not let a failing handler hide the rejection', () => {
    const result = runHandler(new Error('x'), {
      handlers: [
        () => {
          throw new Error('handler');
        },
      ],
    });
    expect(result.exits).toEqual([1]);
    expect(result.logs).toEqual(['error a rejection handler failed', 'error unhandled rejection (unknown), exiting']);
  });

  it.each([
    ['a defect', 'Promise.reject(new Error("bug"))', 1],
    ['an abort', 'Promise.reject(new DOMException("x", "AbortError"))', 0],
    ['a lost connection', 'Promise.reject(Object.assign(new Error("x"), { code: "ECONNRESET" }))', 0],
    ['an uncaught exception', 'setTimeout(() => { throw new Error("bug"); }, 1)', 1],
  ])('ends a real process as the class says: %s', (_, code, status) => {
    const library = new URL('./rejection-handler.ts', import.meta.url).pathname;
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({ resolve: (s, c, next) => next(s.startsWith('.') ? s.replace(/\\.js$/, '.ts') : s, c) });
      const { installRejectionHandler } = await import(${JSON.stringify(library)});
      installRejectionHandler({ log: (level, message) => console.error(level, message) });
      ${code};
      setTimeout(() => process.exit(0), 100);`;
    const child = spawnSync(process.execPath, ['--no-warnings', '--experimental-transform-types', '--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 120_000,
    });
    expect({ status: child.status, stderr: child.stderr.includes('exiting') }).toEqual({ status, stderr: status === 1 });
  });
});
