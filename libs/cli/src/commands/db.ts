import path from 'node:path';
import { createDatabase, type MigrationsState, migrate, migrationsState } from '@plexus/database';
import { DATABASE_SERVICES, repositoryRoot } from '@plexus/local-stack';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { type Output, table } from '../output.js';

type Environment = Readonly<Record<string, string | undefined>>;

interface Target {
  readonly service: string;
  readonly url: string;
  readonly directory: string;
}

/** Which schema lies in which database. Database URLs hold passwords, so they come from the environment and never from arguments. */
function targets(environment: Environment): Target[] {
  const directory = (service: string): string => path.join(repositoryRoot(), 'services', service, 'prisma', 'migrations');
  const { DATABASE_URL: shared, MEMORY_DATABASE_URL: memory } = environment;
  const found = [
    ...(shared ? DATABASE_SERVICES.map((service) => ({ service, url: shared, directory: directory(service) })) : []),
    ...(memory?.startsWith('postgres') ? [{ service: 'memory', url: memory, directory: directory('memory') }] : []),
  ];
  if (found.length > 0) return found;
  throw new CommandFailure(
    'No database is named.',
    EXIT.usage,
    'Set DATABASE_URL (routing, push, scheduler) and MEMORY_DATABASE_URL (memory) to postgresql:// URLs. An embedded mesh migrates itself.',
    'USAGE',
  );
}

/** `plexus db status|migrate`: the tables of every service, each in a schema of its own. */
export function dbCommand(program: Command, output: () => Output, environment: Environment): void {
  const db = program.command('db').description('tables of the services: what is pending (status), apply it (migrate)');

  db.command('status')
    .description('exit 4 when a schema is not at the version of this checkout')
    .action(async () => {
      const states: ({ service: string } & MigrationsState)[] = [];
      for (const { service, url, directory } of targets(environment)) {
        const database = await createDatabase(url, { schema: service, applicationName: 'plexus-db', max: 1 });
        try {
          states.push({ service, ...(await migrationsState(database, directory)) });
        } finally {
          await database.close();
        }
      }
      const row = ({ service, upToDate, pending, changed, failed }: (typeof states)[number]): string[] => [
        upToDate ? '✓' : '✗',
        service,
        upToDate
          ? 'up to date'
          : [...pending.map((name) => `pending ${name}`), ...changed.map((name) => `changed ${name}`), ...failed.map((name) => `failed ${name}`)].join(', '),
      ];
      output().result(states, table(states.map(row)));
      if (states.some(({ upToDate }) => !upToDate)) process.exitCode = EXIT.findings;
    });

  db.command('migrate')
    .description('apply what is pending, one transaction each, under a lock; a changed migration is refused')
    .action(async () => {
      const done: { service: string; applied: string[] }[] = [];
      for (const { service, url, directory } of targets(environment)) done.push({ service, applied: await migrate({ url, schema: service, directory }) });
      output().result(done, table(done.map(({ service, applied }) => [service, applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`])));
    });
}
