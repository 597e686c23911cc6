import { parseDatabaseUrl, sqlIdentifier } from './database-url.js';

test("Prisma's own parameters are dropped, the driver's are kept", () => {
  expect(parseDatabaseUrl('postgresql://u:p@h:1/d?schema=routing&sslmode=require&connection_limit=3')).toEqual({
    kind: 'postgres',
    connectionString: 'postgresql://u:p@h:1/d?sslmode=require',
  });
  expect(parseDatabaseUrl('postgres://h/d?schema=x')).toEqual({ kind: 'postgres', connectionString: 'postgres://h/d' });
});

test('pglite: names a directory or memory', () => {
  expect(parseDatabaseUrl('pglite:/var/lib/x')).toEqual({ kind: 'pglite', directory: '/var/lib/x' });
  expect(parseDatabaseUrl('pglite:memory://')).toEqual({ kind: 'pglite', directory: 'memory://' });
  expect(() => parseDatabaseUrl('pglite:')).toThrow('names no directory');
});

test('anything else is refused without quoting it, as it may hold a password', () => {
  expect(() => parseDatabaseUrl('mysql://root:secret@h/d')).toThrow(TypeError);
  expect(() => parseDatabaseUrl('mysql://root:secret@h/d')).not.toThrow('secret');
});

test.each(['', 'Big', '1st', 'a-b', 'a;drop', 'x'.repeat(64)])('%p is no identifier', (name) => {
  expect(() => sqlIdentifier(name)).toThrow('not a lower-case SQL identifier');
});
