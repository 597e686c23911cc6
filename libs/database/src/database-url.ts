const PGLITE_PREFIX = 'pglite:';
const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;

export type DatabaseTarget = { readonly kind: 'postgres'; readonly connectionString: string } | { readonly kind: 'pglite'; readonly directory: string };

/**
 * Reads a database URL. Prisma's own query parameters (`schema`, `connection_limit`, …) are dropped: the schema is an argument here.
 * Throws TypeError for anything else, without quoting the URL, which may hold a password.
 */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  if (url.startsWith(PGLITE_PREFIX)) {
    const directory = url.slice(PGLITE_PREFIX.length);
    if (directory === '') throw new TypeError('database URL "pglite:" names no directory; use pglite:<directory> or pglite:memory://');
    return { kind: 'pglite', directory };
  }
  if (!/^postgres(ql)?:\/\//.test(url)) throw new TypeError('database URL must start with postgresql://, postgres:// or pglite:');
  const [address = '', query = ''] = url.split(/\?(.*)/s, 2);
  const parameters = new URLSearchParams(query);
  for (const name of ['schema', 'connection_limit', 'pool_timeout', 'pgbouncer', 'socket_timeout', 'statement_cache_size']) parameters.delete(name);
  const rest = parameters.toString();
  return { kind: 'postgres', connectionString: rest === '' ? address : `${address}?${rest}` };
}

/** Returns `name` when it can be written into SQL unquoted and unchanged; throws TypeError otherwise. */
export function sqlIdentifier(name: string): string {
  if (!IDENTIFIER.test(name)) throw new TypeError(`not a lower-case SQL identifier: ${JSON.stringify(name)}`);
  return name;
}
