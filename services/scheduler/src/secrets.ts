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

function read(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new ConfigurationError(`${name} ${file} cannot be read`, { cause });
  }
}
