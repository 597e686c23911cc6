import { AbortedError, ConfigurationError } from './error-classes.js';
import { createErrorRegistry } from './error-registry.js';
import { PlexusError } from './plexus-error.js';
import { err, ok, unwrap } from './result.js';

const registry = createErrorRegistry({
  NOT_FOUND: { status: 404, retryable: false, sentence: 'There is no such thing.' },
  UNAVAILABLE: { status: 503, retryable: true, sentence: 'Try again.' },
});

describe('error registry', () => {
  it('makes errors that say what the table says', () => {
    const error = registry.create('UNAVAILABLE', { details: { host: 'db' }, cause: new Error('secret') });
    expect(error).toMatchObject({ code: 'UNAVAILABLE', status: 503, retryable: true, message: 'Try again.', details: { host: 'db' } });
    expect(error).toBeInstanceOf(Error);
  });

  it('never lets the cause or the stack out', () => {
    const error = registry.create('NOT_FOUND', { cause: new Error('secret') });
    expect(JSON.stringify(error)).toBe('{"code":"NOT_FOUND","message":"There is no such thing.","retryable":false}');
    expect((error.cause as Error).message).toBe('secret');
  });

  it('takes a better sentence where one is known', () => {
    expect(registry.create('NOT_FOUND', { message: 'No schedule sch_1.' }).message).toBe('No schedule sch_1.');
  });

  it('looks up codes that came from outside', () => {
    expect(registry.get('NOT_FOUND')?.status).toBe(404);
    expect(registry.get('toString')).toBeUndefined();
    expect(registry.has('NOPE')).toBe(false);
    expect(registry.codes).toEqual(['NOT_FOUND', 'UNAVAILABLE']);
  });

  it('refuses an unregistered code and quotes it', () => {
    expect(() => registry.create('NOPE' as 'NOT_FOUND')).toThrow('NOPE');
  });

  it.each([
    [{ notUpper: { status: 400, retryable: false, sentence: 'x' } }, 'notUpper'],
    [{ OK: { status: 200, retryable: false, sentence: 'x' } }, '200'],
    [{ MUTE: { status: 400, retryable: false, sentence: ' ' } }, 'MUTE'],
  ])('refuses a table that breaks the rules (%#)', (table, quoted) => {
    expect(() => createErrorRegistry(table)).toThrow(quoted);
  });
});

describe('error classes', () => {
  it('recognises its own errors by brand, not by shape', () => {
    expect(PlexusError.isPlexusError(new PlexusError({ code: 'X', message: 'y' }))).toBe(true);
    expect(PlexusError.isPlexusError({ code: 'X', message: 'y', retryable: true, status: 500 })).toBe(false);
    expect(PlexusError.isPlexusError(null)).toBe(false);
  });

  it('keeps the reason of an aborted signal', () => {
    const controller = new AbortController();
    controller.abort('user');
    expect(AbortedError.from(controller.signal).cause).toBe('user');
    const own = new AbortedError('mine');
    const again = new AbortController();
    again.abort(own);
    expect(AbortedError.from(again.signal)).toBe(own);
    expect(AbortedError.from(undefined).name).toBe('AbortError');
  });

  it('lets a configuration error name its code', () => {
    expect(new ConfigurationError('x').code).toBe('INVALID_CONFIG');
    expect(new ConfigurationError('x', { code: 'MISSING_API_KEY' }).code).toBe('MISSING_API_KEY');
  });
});

describe('unwrap', () => {
  it('gives the value or throws the error', () => {
    expect(unwrap(ok(1))).toBe(1);
    expect(() => unwrap(err(new RangeError('r')))).toThrow(RangeError);
    expect(() => unwrap(err('plain'))).toThrow('plain');
    expect(() => unwrap(err({ code: 1 }))).toThrow('failed result');
  });
});
