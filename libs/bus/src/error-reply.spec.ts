import { headers as natsHeaders } from '@nats-io/transport-node';
import { plexusError } from '@plexus/contracts';
import { PlexusError } from '@plexus/kernel';
import { decodeError, encodeError } from './error-reply.js';

function arrived(error: PlexusError) {
  const { headers, body } = encodeError(error);
  const decoded = natsHeaders();
  for (const line of Buffer.from(headers.encode()).toString().split('\r\n').slice(1)) {
    const at = line.indexOf(':');
    if (at > 0) decoded.append(line.slice(0, at), line.slice(at + 1));
  }
  return { headers: decoded, data: body } as never;
}

it('an error arrives as it was sent, without its cause', () => {
  const error = decodeError(arrived(plexusError('CONFLICT', { message: 'Ünïcode\nline', details: { at: 3 }, cause: new Error('secret') })));
  expect(error?.toJSON()).toEqual({ code: 'CONFLICT', message: 'Ünïcode\nline', retryable: false, details: { at: 3 } });
  expect(error?.status).toBe(409);
  expect(error?.cause).toBeUndefined();
});

it('a code that this version does not know keeps what the service said', () => {
  expect(decodeError(arrived(new PlexusError({ code: 'FUTURE_CODE', message: 'New.', retryable: true })))).toMatchObject({
    code: 'FUTURE_CODE',
    retryable: true,
    status: 500,
  });
});

it('details that are too large are left out, not the error', () => {
  const error = decodeError(arrived(plexusError('INVALID_REQUEST', { details: { issues: 'x'.repeat(2_000_000) } })));
  expect(error).toMatchObject({ code: 'INVALID_REQUEST' });
  expect(error?.details).toBeUndefined();
});

it('errors of foreign responders, with headers only, are read', () => {
  const headers = natsHeaders();
  headers.append('Nats-Service-Error-Code', '500');
  headers.append('Nats-Service-Error', 'it broke');
  expect(decodeError({ headers, data: Buffer.from('not json') } as never)).toMatchObject({ code: '500', message: 'it broke', retryable: false });
});

it('an answer without the header is no error', () => {
  expect(decodeError({ headers: undefined, data: Buffer.from('{}') } as never)).toBeUndefined();
});
