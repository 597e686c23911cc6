import { readFile } from 'node:fs/promises';
import type { BusCredentials } from '@plexus/bus';
import { ConfigurationError } from '@plexus/kernel';

/** Reads the nkey seed of a service from its file. Rejects with a ConfigurationError that names the file, never its content. */
export async function readCredentials(seedFile: string | undefined): Promise<BusCredentials | undefined> {
  if (seedFile === undefined) return undefined;
  let text: string;
  try {
    text = await readFile(seedFile, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`NATS_NKEY_SEED_FILE=${JSON.stringify(seedFile)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const nkeySeed = /\bSU[A-Z2-7]{56}\b/.exec(text)?.[0];
  if (nkeySeed === undefined) throw new ConfigurationError(`NATS_NKEY_SEED_FILE=${JSON.stringify(seedFile)} holds no nkey seed of a user (SU…)`);
  return { nkeySeed };
}
