import { drop, listParked, type ParkedMessage, redrive, showParked } from '@plexus/bus';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { noteAct } from './audit.js';
import { type MeshOptions, withBus } from '../mesh.js';
import { type Output, table } from '../output.js';

function sequence(text: string): number {
  const seq = Number(text);
  if (!Number.isInteger(seq) || seq < 1)
    throw new CommandFailure(`${JSON.stringify(text)} is not a sequence number.`, EXIT.usage, '`plexus dlq ls` shows them.', 'USAGE');
  return seq;
}

const row = (message: ParkedMessage): string[] => [
  String(message.seq),
  message.parkedAt,
  message.tenant,
  message.consumer,
  message.code,
  `${message.bytes} B`,
  message.reason,
];

/** `plexus dlq ls|show|redrive|drop`: messages that could not be handled and wait for a human. */
export function dlqCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const dlq = program.command('dlq').description('parked messages: list, show, send again, drop');

  dlq
    .command('ls')
    .description('newest last')
    .option('--tenant <tenant>', 'only this tenant')
    .option('--consumer <consumer>', 'only those of this consumer')
    .option('--limit <n>', 'at most so many', Number, 100)
    .action(async (options: { tenant?: string; consumer?: string; limit: number }) => {
      const parked = await withBus(mesh(), (bus) => listParked(bus, options));
      output().result(
        parked,
        parked.length === 0 ? 'Nothing is parked.' : table([['SEQ', 'PARKED', 'TENANT', 'CONSUMER', 'CODE', 'SIZE', 'REASON'], ...parked.map(row)]),
      );
    });

  dlq
    .command('show <seq>')
    .description('why it was parked, and its original bytes')
    .action(async (text: string) => {
      const seq = sequence(text);
      const found = await withBus(mesh(), (bus) => showParked(bus, seq));
      if (found === undefined) throw new CommandFailure(`Nothing is parked under ${text}.`, EXIT.failed, '`plexus dlq ls` shows what is.', 'NOT_FOUND');
      const body = Buffer.from(found.body).toString('utf8');
      const { body: _bytes, ...about } = found;
      output().result({ ...about, body }, [
        ...Object.entries(about).map(([key, value]) => `${key.padEnd(14)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`),
        '',
        body,
      ]);
    });

  dlq
    .command('redrive <seq...>')
    .description('publish the original bytes to the original subject again, then remove them here')
    .action(async (texts: string[]) => {
      const sequences = texts.map(sequence);
      const sent = await withBus(mesh(), async (bus) => {
        const receipts = [];
        for (const seq of sequences) receipts.push({ parked: seq, ...(await redrive(bus, seq)) });
        await noteAct(bus, '_', 'dlq.redrive', { seqs: sequences.slice(0, 100) });
        return receipts;
      });
      output().result(
        sent,
        sent.map((receipt) => `${receipt.parked} → ${receipt.stream} ${receipt.seq}`),
      );
    });

  dlq
    .command('drop <seq...>')
    .description('remove for good')
    .action(async (texts: string[]) => {
      const sequences = texts.map(sequence);
      const outcomes = await withBus(mesh(), async (bus) => {
        const results: { seq: number; dropped: boolean }[] = [];
        for (const seq of sequences) results.push({ seq, dropped: await drop(bus, seq) });
        await noteAct(bus, '_', 'dlq.drop', { seqs: sequences.slice(0, 100) });
        return results;
      });
      output().result(
        outcomes,
        outcomes.map(({ seq, dropped }) => (dropped ? `${seq} dropped` : `${seq} was not there`)),
      );
      if (outcomes.some(({ dropped }) => !dropped)) process.exitCode = EXIT.findings;
    });
}
