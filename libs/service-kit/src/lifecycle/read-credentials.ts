import { readFileSync } from 'node:fs';
import type { BusCredentials, BusTls } from '@plexus/bus';
import { ConfigurationError } from '@plexus/kernel';
import type { BaseConfig } from '../config/base-config.js';

/**
 * The nkey seed of a service, or its `.creds`, from its file: read now, so that a wrong setting stops the start, and again at every reconnect, so that a
 * rotated file needs no restart. Throws a ConfigurationError that names the file, never its content.
 */
export function readCredentials({
  NATS_NKEY_SEED_FILE,
  NATS_CREDS_FILE,
}: Pick<BaseConfig, 'NATS_NKEY_SEED_FILE' | 'NATS_CREDS_FILE'>): BusCredentials | undefined {
  if (NATS_CREDS_FILE !== undefined) {
    if (NATS_NKEY_SEED_FILE !== undefined) throw new ConfigurationError('NATS_NKEY_SEED_FILE and NATS_CREDS_FILE are two ways of the same thing; set one');
    return { creds: readAnew(() => readCreds(NATS_CREDS_FILE)) };
  }
  return NATS_NKEY_SEED_FILE === undefined ? undefined : { nkeySeed: readAnew(() => readSeed(NATS_NKEY_SEED_FILE)) };
}

function readAnew(read: () => string): () => string {
  let last = read();
  return () => {
    try {
      last = read();
    } catch {
      // A file that is being replaced at this moment: what was good a moment ago is tried, and the next attempt reads again.
    }
    return last;
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

function readCreds(file: string): string {
  const text = readText('NATS_CREDS_FILE', file);
  const isWhole = /-BEGIN NATS USER JWT-+\s+\S+\s+-+END/.test(text) && /\bSU[A-Z2-7]{56}\b/.test(text);
  if (!isWhole) throw new ConfigurationError(`NATS_CREDS_FILE=${JSON.stringify(file)} holds no credentials of a user (claims and a seed SU…)`);
  return text;
}

function readText(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`${name}=${JSON.stringify(file)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
