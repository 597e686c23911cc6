import { readFileSync } from 'node:fs';
import { ConfigurationError } from '@plexus/kernel';
import { requireStrongSecret } from '@plexus/service-kit';
import { KeyWrap, masterKeyFrom } from './adapters/crypto/key-wrap.js';
import type { MemoryConfig } from './config.js';

const MIN_BYTES = 32;

/** What wraps the keys of tenants; undefined without a master key, which production does not accept, nor a weak one. */
export function loadKeyWrap(config: MemoryConfig & { readonly NODE_ENV: string }): KeyWrap | undefined {
  const { PLEXUS_MASTER_KEY_FILE: file, PLEXUS_MASTER_KEY_PREVIOUS_FILE: previousFile, NODE_ENV: env } = config;
  const given = file === undefined ? config.PLEXUS_MASTER_KEY : read('PLEXUS_MASTER_KEY_FILE', file);
  if (given === undefined && env !== 'production' && previousFile === undefined) return undefined;
  const strong = (name: string, value: string | undefined) => masterKeyFrom(requireStrongSecret(value, { name, minBytes: MIN_BYTES, env }));
  const current = strong('PLEXUS_MASTER_KEY', given);
  if (previousFile === undefined) return new KeyWrap(current);
  return new KeyWrap(current, strong('PLEXUS_MASTER_KEY_PREVIOUS_FILE', read('PLEXUS_MASTER_KEY_PREVIOUS_FILE', previousFile)));
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigurationError(`${name} ${file} cannot be read`, { cause });
  }
}
