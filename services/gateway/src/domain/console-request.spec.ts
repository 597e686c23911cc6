import { consoleTarget, encodingFor } from './console-request.js';

describe('what a request wants of the console', () => {
  it.each([
    ['GET', '/', undefined, { kind: 'page' }],
    ['HEAD', '/', '*/*', { kind: 'page' }],
    ['GET', '/sessions/agent%3Amain%3Amain', 'text/html,application/xhtml+xml', { kind: 'page' }],
    ['GET', '/favicon.svg', 'image/avif', { kind: 'file', file: 'favicon.svg', hashed: false }],
    ['GET', '/assets/index-Bx_1-a.js', '*/*', { kind: 'file', file: 'assets/index-Bx_1-a.js', hashed: true }],
  ])('%s %s is one of its files, or the page', (method, path, accept, expected) => {
    expect(consoleTarget(method, path, accept)).toEqual(expected);
  });

  it.each([
    ['POST', '/', 'text/html'],
    ['GET', '/v1/nothing', 'text/html'],
    ['GET', '/v1', 'text/html'],
    ['GET', '/ws', 'text/html'],
    ['GET', '/healthz', 'text/html'],
    ['GET', '/nothing', '*/*'],
    ['GET', '/nothing', undefined],
  ])('%s %s is somebody else’s', (method, path, accept) => {
    expect(consoleTarget(method, path, accept)).toBeUndefined();
  });

  it.each(['/../package.json', '/assets/../../x.js', '/assets/%2e%2e/x.js', '/.env', '/assets/.hidden.js', '/assets/a/b.js', '/a\\b.js', '/x.js\0'])(
    'never a file outside its folder: %s',
    (path) => {
      expect(consoleTarget('GET', path, undefined)).toBeUndefined();
    },
  );
});

describe('the stored form of a file', () => {
  it('is the smallest that the caller reads', () => {
    expect(encodingFor('gzip, deflate, br', ['br', 'gzip'])).toBe('br');
    expect(encodingFor('gzip;q=0.5, br;q=0', ['br', 'gzip'])).toBe('gzip');
    expect(encodingFor('br', ['gzip'])).toBeUndefined();
    expect(encodingFor(undefined, ['br', 'gzip'])).toBeUndefined();
  });
});
