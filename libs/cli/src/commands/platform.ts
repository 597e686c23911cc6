import { isDeepStrictEqual } from 'node:util';
import { loadConfigFile, parsePlatformConfig } from '@plexus/agent-config';
import type { Bus } from '@plexus/bus';
import { BUCKETS } from '@plexus/contracts';
import type { Command } from 'commander';
import { invalid } from '../config-client.js';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import type { Output } from '../output.js';
import { noteDone } from './audit.js';

/** Key of the platform's document in PLEXUS_CONFIG. */
const PLATFORM = '_';

/** A document that is valid, as it was written: services fill in the defaults themselves. */
function readPlatform(file: string): Record<string, unknown> {
  const loaded = loadConfigFile(file);
  if (!loaded.ok) throw invalid(loaded.error);
  const parsed = parsePlatformConfig(loaded.value.document);
  if (!parsed.ok) throw invalid(parsed.error);
  return loaded.value.document as Record<string, unknown>;
}

const tenantsIn = ({ tenants }: Record<string, unknown>): string[] =>
  typeof tenants === 'object' && tenants !== null ? Object.keys(tenants).slice(0, 100) : [];

/** Writes what differs; somebody who writes at the same time wins, and this call fails. */
async function write(bus: Bus, document: Record<string, unknown>): Promise<{ readonly revision: number; readonly changed: boolean }> {
  const bucket = await bus.kv(BUCKETS.config);
  const stored = await bucket.get(PLATFORM);
  if (stored !== undefined && isDeepStrictEqual(stored.json(), document)) return { revision: stored.revision, changed: false };
  const revision = stored === undefined ? await bucket.create(PLATFORM, document) : await bucket.update(PLATFORM, document, stored.revision);
  if (revision === undefined)
    throw new CommandFailure('Somebody else wrote the platform document at this moment.', EXIT.failed, 'Look at it and decide anew.', 'CONFLICT');
  return { revision, changed: true };
}

/** `plexus platform show|apply`: which tenants exist, who may speak for them, and their limits. Needs the operator's NATS credential. */
export function platformCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const platform = program.command('platform').description('which tenants there are: their keys, tokens and limits (the operator alone)');

  platform
    .command('show')
    .description('the document as it was written')
    .action(async () => {
      const stored = await withBus(mesh(), async (bus) => (await bus.kv(BUCKETS.config)).get(PLATFORM));
      if (stored === undefined)
        throw new CommandFailure('There is no platform document: no tenant exists.', EXIT.failed, '`plexus platform apply <file>` writes one.', 'NOT_FOUND');
      const document = stored.json<unknown>();
      output().result({ revision: stored.revision, document }, JSON.stringify(document, undefined, 2));
    });

  platform
    .command('apply <file>')
    .description('replace it by a JSON5 file; nothing is written when it says the same. Holds at once, everywhere')
    .action(async (file: string) => {
      const document = readPlatform(file);
      const written = await withBus(mesh(), async (bus) => {
        const done = await write(bus, document);
        if (done.changed) await noteDone(bus, output(), '_', 'platform.apply', { revision: done.revision, tenants: tenantsIn(document) });
        return done;
      });
      output().result(
        written,
        written.changed ? `The platform document is written (revision ${written.revision}).` : `Nothing to do: revision ${written.revision} says the same.`,
      );
    });
}
