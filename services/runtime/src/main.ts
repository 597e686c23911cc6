import { ConfigurationError, installRejectionHandler } from '@plexus/kernel';
import { EXIT_CODES } from '@plexus/vm-protocol/link';
import { assemble } from './assemble.js';
import { readConfig } from './config.js';
import { readFirstLine } from './first-line.js';
import { createLog } from './log.js';

const STDIN_TIMEOUT_MS = 10_000;
/** After SIGTERM everything is over by then, one way or the other: the provider kills 5 s after it. */
const STOP_TIMEOUT_MS = 4_000;

async function main(): Promise<number> {
  const { line, ended } = await readFirstLine(process.stdin, STDIN_TIMEOUT_MS);
  const config = readConfig(process.env, line);
  const log = createLog(config.logLevel, { vmId: config.vmId, epoch: config.epoch });
  installRejectionHandler({ log: (level, message, fields) => log(level, message, fields) });

  const stop = new AbortController();
  const onSignal = (signal: string): void => {
    if (stop.signal.aborted) return;
    log('info', 'stopping', { signal });
    stop.abort();
    setTimeout(() => process.exit(EXIT_CODES.failed), STOP_TIMEOUT_MS).unref();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  void ended.then(() => (config.orphanPolicy === 'die' ? onSignal('stdin closed') : undefined));

  log('info', 'starting', { pid: process.pid, gateway: new URL(config.gatewayUrl).host });
  const exit = await assemble(config, log).run(stop.signal);
  return exit.code;
}

try {
  process.exit(await main());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof ConfigurationError ? EXIT_CODES.misconfigured : EXIT_CODES.failed);
}
