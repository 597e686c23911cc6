import { ConfigurationError } from '@plexus/kernel';

export interface StrongSecretRules {
  /** Variable or file that holds it; named in the error. */
  readonly name: string;
  /** Fewest bytes of UTF-8 in production. */
  readonly minBytes: number;
  /** NODE_ENV. */
  readonly env: string;
}

/** Values from documentation, samples and habit, compared without case, digits at the end, and separators. */
const KNOWN = new Set(
  ['changeme', 'changeit', 'secret', 'mysecret', 'password', 'passwd', 'token', 'mytoken', 'default', 'example', 'sample', 'test', 'testing', 'dev']
    .concat(['development', 'devsecret', 'local', 'plexus', 'admin', 'root', 'letmein', 'qwerty', 'supersecret', 'devtoken', 'insecure', 'placeholder'])
    .concat(['replaceme', 'todo', 'none', 'null', 'undefined', 'yoursecret', 'yoursecrethere', 'yourtoken', 'keyboardcat', 'abc', 'abcdef', 'openclaw'])
    .concat(['developmentsecretchangeinproduction', 'changeinproduction', 'donotuseinproduction']),
);

/** A random secret of 16 bytes has this many different characters in any usual encoding. */
const FEWEST_DISTINCT = 8;

/**
 * Returns the secret, or throws a ConfigurationError that names the setting (never the value). Outside production any
 * non-empty value will do; in production it must be long enough, not a known development value, and not a repetition.
 */
export function requireStrongSecret(value: string | undefined, { name, minBytes, env }: StrongSecretRules): string {
  const refuse = (reason: string): never => {
    throw new ConfigurationError(`${name} ${reason}; generate one, for example with: openssl rand -base64 32`);
  };
  if (value === undefined || value.trim() === '') return refuse('is not set');
  if (env !== 'production') return value;
  const bytes = Buffer.byteLength(value);
  if (isKnown(value)) return refuse('is a well-known development value, which production refuses');
  if (bytes < minBytes) return refuse(`has ${bytes} bytes, production needs at least ${minBytes}`);
  if (new Set(value).size < Math.min(FEWEST_DISTINCT, minBytes)) return refuse('repeats a few characters, production needs a random value');
  return value;
}

function isKnown(value: string): boolean {
  const core = value.toLowerCase().replace(/[^a-z]/g, '');
  if (KNOWN.has(core)) return true;
  // The same word again and again is as well known as the word.
  const repeated = /^(.+?)\1+$/.exec(core)?.[1];
  return repeated !== undefined && KNOWN.has(repeated);
}
