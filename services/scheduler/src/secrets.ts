import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigurationError } from '@plexus/kernel';
import { requireStrongSecret } from '@plexus/service-kit';
import type { SchedulerConfig } from './config.js';

const MIN_BYTES = 32;

export interface VmSecrets {
  readonly current: string;
  readonly previous: string | undefined;
  /** Made for this process: VMs that outlive it cannot come back. */
  readonly isEphemeral: boolean;
}

/** The secret behind VM tokens. Production needs a strong one; elsewhere a missing one is made up for this process, which must say so. */
export function loadVmSecrets(config: SchedulerConfig & { readonly NODE_ENV: string }): VmSecrets {
  const { VM_TOKEN_SECRET_FILE, VM_TOKEN_SECRET_PREVIOUS_FILE, NODE_ENV } = config;
  const given = VM_TOKEN_SECRET_FILE === undefined ? config.VM_TOKEN_SECRET : read('VM_TOKEN_SECRET_FILE', VM_TOKEN_SECRET_FILE);
  // Tokens signed with the previous secret are accepted too, so it must be as strong.
  const previous =
    VM_TOKEN_SECRET_PREVIOUS_FILE === undefined
      ? undefined
      : requireStrongSecret(read('VM_TOKEN_SECRET_PREVIOUS_FILE', VM_TOKEN_SECRET_PREVIOUS_FILE), {
          name: `VM_TOKEN_SECRET_PREVIOUS_FILE ${VM_TOKEN_SECRET_PREVIOUS_FILE}`,
          minBytes: MIN_BYTES,
          env: NODE_ENV,
        });
  if (given === undefined && NODE_ENV !== 'production') return { current: randomBytes(MIN_BYTES).toString('base64url'), previous, isEphemeral: true };
  const name = VM_TOKEN_SECRET_FILE === undefined ? 'VM_TOKEN_SECRET' : `VM_TOKEN_SECRET_FILE ${VM_TOKEN_SECRET_FILE}`;
  return { current: requireStrongSecret(given, { name, minBytes: MIN_BYTES, env: NODE_ENV }), previous, isEphemeral: false };
}

/** The master key and the one before it; undefined when there is none. Weak ones are refused in production. */
export function loadMasterKeys(
  config: SchedulerConfig & { readonly NODE_ENV: string },
): { readonly current: string; readonly previous: string | undefined } | undefined {
  const { PLEXUS_MASTER_KEY_FILE, PLEXUS_MASTER_KEY, PLEXUS_MASTER_KEY_PREVIOUS_FILE, NODE_ENV } = config;
  const given = PLEXUS_MASTER_KEY_FILE === undefined ? PLEXUS_MASTER_KEY : read('PLEXUS_MASTER_KEY_FILE', PLEXUS_MASTER_KEY_FILE);
  if (given === undefined) return undefined;
  const strong = (name: string, value: string): string => requireStrongSecret(value, { name, minBytes: MIN_BYTES, env: NODE_ENV });
  return {
    current: strong('PLEXUS_MASTER_KEY', given),
    previous:
      PLEXUS_MASTER_KEY_PREVIOUS_FILE === undefined
        ? undefined
        : strong('PLEXUS_MASTER_KEY_PREVIOUS_FILE', read('PLEXUS_MASTER_KEY_PREVIOUS_FILE', PLEXUS_MASTER_KEY_PREVIOUS_FILE)),
  };
}

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigurationError(`${name} ${file} cannot be read`, { cause });
  }
}
