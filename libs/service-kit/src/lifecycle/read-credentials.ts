import { readFileSync } from 'node:fs';
import type { BusCredentials, BusTls } from '@plexus/bus';
import { ConfigurationError } from '@plexus/kernel';
import type { BaseConfig } from '../config/base-config.js';

/**
 * The nkey seed of a service, from its file: read now, so that a wrong setting stops the start, and again at every reconnect, so that a
 * rotated seed needs no restart. Throws a ConfigurationError that names the file, never its content.
 */
export function readCredentials(seedFile: string | undefined): BusCredentials | undefined {
  if (seedFile === undefined) return undefined;
  let last = readSeed(seedFile);
  return {
    nkeySeed: () => {
      try {
        last = readSeed(seedFile);
      } catch {
        // A file that is being replaced at this moment: the seed that was good a moment ago is tried, and the next attempt reads again.
      }
      return last;
    },
  };
}

/** Files for TLS towards NATS; undefined when none is set. Throws a ConfigurationError when one cannot be read. */
export function natsTls({
  NATS_CA_FILE,
  NATS_CERT_FILE,
  NATS_KEY_FILE,
}: Pick<BaseConfig, 'NATS_CA_FILE' | 'NATS_CERT_FILE' | 'NATS_KEY_FILE'>): BusTls | undefined {
  if ((NATS_CERT_FILE === undefined) !== (NATS_KEY_FILE === undefined)) throw new ConfigurationError('NATS_CERT_FILE and NATS_KEY_FILE go together');
  const files = { NATS_CA_FILE, NATS_CERT_FILE, NATS_KEY_FILE };
  for (const [name, file] of Object.entries(files)) if (file !== undefined) readText(name, file);
  return Object.values(files).every((file) => file === undefined) ? undefined : { caFile: NATS_CA_FILE, certFile: NATS_CERT_FILE, keyFile: NATS_KEY_FILE };
}

function readSeed(file: string): string {
  const seed = /\bSU[A-Z2-7]{56}\b/.exec(readText('NATS_NKEY_SEED_FILE', file))?.[0];
  if (seed === undefined) throw new ConfigurationError(`NATS_NKEY_SEED_FILE=${JSON.stringify(file)} holds no nkey seed of a user (SU…)`);
  return seed;
}

function readText(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`${name}=${JSON.stringify(file)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
