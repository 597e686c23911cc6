import { migrate, migrationsState } from './migrate.js';
import { createDatabase } from './create-database.js';

/**
 * `DATABASE_URL=… node migrate-cli.js <schema> <prisma/migrations> [--status]`
 * Exit code 0: up to date; 1: failed (or, with --status, something is pending, changed or half done); 2: wrong arguments.
 */
async function main(args: readonly string[], url: string | undefined): Promise<number> {
  const [schema, directory] = args.filter((argument) => !argument.startsWith('--'));
  if (schema === undefined || directory === undefined || url === undefined) {
    process.stderr.write('usage: DATABASE_URL=postgresql://… migrate-cli <schema> <prisma/migrations directory> [--status]\n');
    return 2;
  }
  if (args.includes('--status')) {
    const database = await createDatabase(url, { schema, applicationName: 'plexus-migrate', max: 1 });
    try {
      const state = await migrationsState(database, directory);
      process.stdout.write(`${JSON.stringify(state)}\n`);
      return state.upToDate ? 0 : 1;
    } finally {
      await database.close();
    }
  }
  const applied = await migrate({ url, schema, directory });
  process.stdout.write(`${JSON.stringify({ schema, applied })}\n`);
  return 0;
}

main(process.argv.slice(2), process.env.DATABASE_URL).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
