import { installRejectionHandler, PlexusError, ulid } from '@plexus/kernel';
import { counter, shutdownTelemetry } from '@plexus/telemetry';
import type { Logger } from 'pino';
import type { z } from 'zod';
import { loadConfig } from '../config/load-config.js';
import { createLogger, flushLogger } from '../log/create-logger.js';
import type { ServiceDefinition } from '../service-context.js';
import { ParentLink } from './parent-link.js';
import { type RunningService, startService } from './start-service.js';

/** sysexits.h EX_CONFIG: a person has to change something first, a restart will not help. */
export const EXIT_CONFIGURATION = 78;
/** EX_TEMPFAIL: a planned restart. Whoever supervises the process starts it again at once and counts no failure. */
export const EXIT_RESTART = 75;
const EXIT_OK = 0;
const EXIT_FAILURE = 1;

const rejections = counter('unhandledRejections');

/**
 * The whole of a service's `main.ts`: reads the settings, starts the service, tells the parent process when it is ready, and ends the
 * process in order on SIGTERM, SIGINT or the death of the parent. Exit codes: 0 after a clean shutdown, 78 when settings or the
 * stream plan are wrong, 75 for a restart that the configuration asks for, 1 otherwise. SIGUSR1 makes it read and apply the whole configuration again. A second signal ends the process at once with 1. Resolves when the service is ready.
 */
export async function runService<Schema extends z.ZodObject>(definition: ServiceDefinition<Schema>): Promise<void> {
  const loaded = loadConfig(definition.config);
  if (!loaded.ok) {
    const lines = loaded.error.map((violation) => `  ${violation.sentence}\n`);
    // Plain text on stderr: the log level may be among what is wrong.
    process.stderr.write(`${definition.name}: the configuration is not valid:\n${lines.join('')}`, () => process.exit(EXIT_CONFIGURATION));
    process.exitCode = EXIT_CONFIGURATION;
    return;
  }
  const config = loaded.value;
  const instanceId = `${definition.name}-${ulid()}`;
  const log = createLogger({ service: definition.name, instanceId, level: config.LOG_LEVEL, tail: definition.logTail });
  const supervision = new ProcessSupervision(definition.name, log, config.SHUTDOWN_TIMEOUT_MS, config.PLEXUS_PARENT_BOUND);
  try {
    const service = await startService(definition, { config, log, instanceId, signal: supervision.signal, leave: (reason) => supervision.restart(reason) });
    supervision.started(service);
  } catch (error) {
    await supervision.failed(error);
  }
}

/** Ties a service to the process it runs in: signals, the parent, unhandled rejections, exit codes. */
class ProcessSupervision {
  private readonly starting = new AbortController();
  private readonly parent: ParentLink;
  private service: RunningService | undefined;
  private stopping = false;
  private restarting = false;
  private leaving = false;

  constructor(
    private readonly name: string,
    private readonly log: Logger,
    private readonly timeoutMs: number,
    parentBound: boolean,
  ) {
    installRejectionHandler({
      log: (level, message, { kind, error }) => {
        rejections.add(1, { class: kind });
        this.log[level]({ kind, error }, message);
      },
      exit: (code) => this.exit(code),
    });
    // The terminal sends Ctrl-C to the whole group: a bound child leaves it to its parent to decide the order.
    process.on('SIGINT', () => parentBound || this.onSignal('SIGINT'));
    process.on('SIGTERM', () => this.onSignal('SIGTERM'));
    process.on('SIGUSR1', () => this.reload());
    this.parent = new ParentLink(parentBound, () => void this.stop('the parent process is gone'));
    if (parentBound && !this.parent.exists) log.warn('PLEXUS_PARENT_BOUND is set, but there is no IPC channel to a parent');
  }

  /** Aborts when the process is told to end before the service was up. */
  get signal(): AbortSignal {
    return this.starting.signal;
  }

  started(service: RunningService): void {
    this.service = service;
    if (this.stopping) void this.stopService('told to stop while starting');
    else this.parent.send({ type: 'ready', http: service.internalUrl, extra: service.extra });
  }

  /** A start that failed, or was given up because the process was told to end. */
  async failed(error: unknown): Promise<void> {
    if (this.stopping) return this.exit(EXIT_OK);
    const code = exitCodeOf(error);
    this.log.fatal({ error, exitCode: code }, messageOf(this.name, error));
    await shutdownTelemetry();
    this.exit(code);
  }

  /** Ends the process in order so that it is started again. */
  restart(reason: string): void {
    this.restarting = true;
    void this.stop(reason);
  }

  private reload(): void {
    this.service?.reloadAll().catch((error: unknown) => this.log.error({ error }, 'the full reload failed'));
  }

  private onSignal(signal: string): void {
    if (!this.stopping) {
      void this.stop(signal);
      return;
    }
    this.log.warn({ signal }, 'second signal, leaving at once');
    process.exit(EXIT_FAILURE);
  }

  private async stop(reason: string): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    // The one timer around everything, should a phase not keep its own limit.
    setTimeout(() => {
      this.log.error({ timeoutMs: this.timeoutMs }, 'the shutdown took too long, leaving');
      this.exit(EXIT_FAILURE);
    }, this.timeoutMs + 500).unref();
    this.starting.abort(new Error(reason));
    if (this.service !== undefined) await this.stopService(reason);
  }

  private async stopService(reason: string): Promise<void> {
    const report = await this.service?.stop(reason);
    this.log.info({ ...report }, 'stopped');
    const code = report?.clean === true ? EXIT_OK : EXIT_FAILURE;
    this.exit(this.restarting ? EXIT_RESTART : code);
  }

  /** Leaves with the first code that is given, once the log is written. */
  private exit(code: number): void {
    if (this.leaving) return;
    this.leaving = true;
    this.parent.close();
    void flushLogger(this.log).then(() => process.exit(code));
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Error && error.name === 'ConfigurationError') return EXIT_CONFIGURATION;
  const needsAPerson = PlexusError.isPlexusError(error) && (error.code === 'STREAM_PLAN_MISMATCH' || error.code === 'CONFIG_INVALID');
  return needsAPerson ? EXIT_CONFIGURATION : EXIT_FAILURE;
}

function messageOf(name: string, error: unknown): string {
  return `${name} cannot start: ${error instanceof Error ? error.message : String(error)}`;
}
