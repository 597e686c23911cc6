import { applyStreams } from '@plexus/bus';
import { integratorConsumer, SubjectError } from '@plexus/contracts';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type MeshOptions, withBus } from '../mesh.js';
import type { Output } from '../output.js';
import { noteDone } from './audit.js';

/** `plexus integrator consumer`: what an operator prepares for a service that reads facts at least once. */
export function integratorCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const integrator = program.command('integrator').description('what services outside the mesh need to take part in it');

  integrator
    .command('consumer <source> <domain>')
    .description('create the durable consumer with which <source> reads the facts of <domain> (session, push, …) from now on, at least once')
    .option('--tenant <tenant>', 'the tenant', 'default')
    .action(async (source: string, domain: string, options: { tenant: string }) => {
      const definition = declared(options.tenant, source, domain);
      const [entry] = await withBus(mesh(), async (bus) => {
        const entries = await applyStreams(bus, { need: { consumers: [definition] } });
        const isNew = entries.some(({ action }) => action === 'create' || action === 'update');
        if (isNew) await noteDone(bus, output(), options.tenant, 'integrator.consumer', { source, domain, consumer: definition.name });
        return entries;
      });
      const done = entry?.action === 'ok' ? 'is there already' : entry?.action === 'conflict' ? 'differs and was left as it is' : 'is there now';
      output().result({ ...definition, action: entry?.action }, `${definition.name} on ${definition.stream} (${definition.filter}) ${done}.`);
      if (entry?.action === 'conflict') process.exitCode = EXIT.findings;
    });
}

function declared(tenant: string, source: string, domain: string): ReturnType<typeof integratorConsumer> {
  try {
    return integratorConsumer(tenant, source, domain);
  } catch (error) {
    if (error instanceof SubjectError) throw new CommandFailure(error.message, EXIT.usage, 'Domains are those of `plexus contracts ls`.', 'USAGE');
    throw error;
  }
}
