import { natsTlsFrom } from '@plexus/local-stack';
import { Command, CommanderError } from 'commander';
import { agentsCommand } from './commands/agents.js';
import { auditCommand } from './commands/audit.js';
import { backupCommand } from './commands/backup.js';
import { bindCommand } from './commands/bind.js';
import { configCommand } from './commands/config.js';
import { contractsCommand } from './commands/contracts.js';
import { dbCommand } from './commands/db.js';
import { demoCommand } from './commands/demo.js';
import { dlqCommand } from './commands/dlq.js';
import { doctorCommand } from './commands/doctor.js';
import { eventsCommand } from './commands/events.js';
import { importCommand } from './commands/import.js';
import { memoryCommand } from './commands/memory.js';
import { modelCommand } from './commands/model.js';
import { integratorCommand } from './commands/integrator.js';
import { natsCommand } from './commands/nats.js';
import { platformCommand } from './commands/platform.js';
import { pushCommand } from './commands/push.js';
import { routeCommand } from './commands/route.js';
import { sessionCommand } from './commands/session.js';
import { pairingCommand } from './commands/pairing.js';
import { sendCommand } from './commands/send.js';
import { userCommand } from './commands/user.js';
import { skillCommand } from './commands/skill.js';
import { smokeCommand } from './commands/smoke.js';
import { statusCommand } from './commands/status.js';
import { tokenCommand } from './commands/token.js';
import { traceCommand } from './commands/trace.js';
import { vmCommand } from './commands/vm.js';
import { vmAttachCommand } from './commands/vm-attach.js';
import { vectorsCommand } from './commands/vectors.js';
import { EXIT } from './exit-code.js';
import type { MeshOptions } from './mesh.js';
import { Output, type Writer } from './output.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The whole command; `environment` is what `process.env` was at the start. */
export function createProgram(environment: Environment, out?: Writer, err?: Writer): { program: Command; output: () => Output } {
  const program = new Command('plexus');
  const output = (): Output => new Output(program.opts<{ json?: boolean }>().json === true, out, err);
  const natsTls = natsTlsFrom(environment);
  const mesh = (): MeshOptions => ({ ...program.opts<MeshOptions>(), ...(natsTls && { natsTls }) });
  program
    .description('Operate a Plexus mesh. Every command takes --json; exit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 findings.')
    .version('0.1.0')
    .option('--json', 'print one JSON document instead of text')
    .option('--state <folder>', 'state folder of the embedded mesh', environment.PLEXUS_STATE_DIR ?? '.plexus')
    .option('--nats <url>', 'NATS server; default: the running embedded one', environment.NATS_URL)
    .option(
      '--seed-file <file>',
      'file with an nkey seed, or a .creds file; default: the operator of the state folder',
      environment.NATS_NKEY_SEED_FILE ?? environment.NATS_CREDS_FILE,
    )
    .option('--gateway <url>', 'HTTP address of the gateway; default: the running embedded one', environment.PLEXUS_GATEWAY_URL)
    .option('--token <token>', 'gateway token (prefer the variable PLEXUS_TOKEN: arguments are visible to others)', environment.PLEXUS_TOKEN)
    .option('--token-file <file>', 'file with the gateway token', environment.PLEXUS_TOKEN_FILE)
    .configureOutput({ ...(out ? { writeOut: (text: string) => void out(text) } : {}), ...(err ? { writeErr: (text: string) => void err(text) } : {}) })
    .exitOverride()
    .showHelpAfterError('(--help shows how)');
  statusCommand(program, output, mesh);
  smokeCommand(program, output, mesh);
  configCommand(program, output, mesh);
  agentsCommand(program, output, mesh);
  bindCommand(program, output, mesh);
  modelCommand(program, output, mesh);
  doctorCommand(program, output, mesh, environment);
  tokenCommand(program, output, mesh);
  natsCommand(program, output, mesh);
  platformCommand(program, output, mesh);
  integratorCommand(program, output, mesh);
  eventsCommand(program, output, mesh);
  contractsCommand(program, output);
  dbCommand(program, output, environment);
  backupCommand(program, output, mesh, environment);
  dlqCommand(program, output, mesh);
  traceCommand(program, output, mesh);
  vmAttachCommand(vmCommand(program, output, mesh), output, mesh);
  sessionCommand(program, output, mesh);
  pairingCommand(program, output, mesh);
  sendCommand(program, output, mesh);
  userCommand(program, output, mesh);
  auditCommand(program, output, mesh);
  demoCommand(program, output, mesh);
  importCommand(program, output, mesh);
  memoryCommand(program, output, mesh);
  pushCommand(program, output, mesh);
  skillCommand(program, output, mesh);
  routeCommand(program, output, mesh);
  vectorsCommand(program, output);
  return { program, output };
}

/** Runs one call and returns its exit code; nothing is thrown. */
export async function runCommand(args: readonly string[], environment: Environment, out?: Writer, err?: Writer): Promise<number> {
  const { program, output } = createProgram(environment, out, err);
  process.exitCode = EXIT.ok;
  try {
    await program.parseAsync([...args], { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // Commander has printed its own message; help and version are no failures.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return output().failure(error);
  } finally {
    process.exitCode = EXIT.ok;
  }
}
