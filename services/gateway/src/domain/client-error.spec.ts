import { ERROR_CODES, type ErrorCode, plexusError } from '@plexus/contracts';
import { clientError, problemOf } from './client-error.js';

describe('errors on their way out', () => {
  it.each(Object.keys(ERROR_CODES) as ErrorCode[])(
    '%s keeps its code in details, becomes one of the four codes of the protocol, and its own status over HTTP',
    (code) => {
      const shape = clientError(plexusError(code));
      expect(['INVALID_REQUEST', 'UNAVAILABLE', 'FORBIDDEN', 'NOT_PAIRED']).toContain(shape.code);
      expect(shape.details?.code).toBe(code);
      expect(shape.message).not.toBe('');
      const problem = problemOf(plexusError(code));
      expect(problem).toMatchObject({ status: ERROR_CODES[code].status, code, retryable: ERROR_CODES[code].retryable, title: ERROR_CODES[code].sentence });
    },
  );

  it('say that trying again can help exactly when it can', () => {
    expect(clientError(plexusError('NO_RESPONDERS'))).toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(clientError(plexusError('RATE_LIMITED', { details: { retryAfterMs: 250 } }))).toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
      retryAfterMs: 250,
    });
    expect(clientError(plexusError('CONFLICT')).retryable).toBeUndefined();
  });

  it('tell nothing of an error that is not ours', () => {
    const cause = new Error('password is hunter2');
    expect(JSON.stringify([clientError(cause), problemOf(cause), clientError('boom'), problemOf(undefined)])).not.toMatch(/hunter2|boom/);
    expect(problemOf(cause)).toMatchObject({ status: 500, code: 'INTERNAL' });
  });
});
