import { routingContracts as routing } from '@plexus/contracts';
import type { Command } from 'commander';
import type { MeshOptions } from '../mesh.js';
import { callAsOperator } from '../operator-call.js';
import { type Output, table } from '../output.js';

interface Options {
  readonly tenant: string;
  readonly channel?: string;
}

/** `plexus pairing ls|approve|reject`: strangers that wrote to a channel and wait to be let in. */
export function pairingCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  const pairing = program.command('pairing').description('strangers that wait to be let in: list, approve, reject');
  const common = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default').option('--channel <channel>', 'only this channel');
  const of = ({ channel }: Options) => (channel === undefined ? {} : { channel });

  common(pairing.command('ls').description('who waits, newest first')).action(async (options: Options) => {
    const { requests } = await callAsOperator(mesh(), routing.listPairings, options, of(options));
    const rows = requests.map(({ code, channel, account, senderId, senderName = '', messages, expiresAt }) => [
      ...[code, `${channel}/${account}`, senderId, senderName, String(messages), expiresAt],
    ]);
    output().result(requests, rows.length === 0 ? 'Nobody waits.' : table([['CODE', 'ACCOUNT', 'SENDER', 'NAME', 'MESSAGES', 'VALID UNTIL'], ...rows]));
  });

  common(pairing.command('approve <code>').description('let the stranger with this code in')).action(async (code: string, options: Options) => {
    const admitted = await callAsOperator(mesh(), routing.approvePairing, options, { code, ...of(options) });
    output().result(admitted, `${admitted.senderName ?? admitted.senderId} may write to ${admitted.channel}/${admitted.account}.`);
  });

  common(pairing.command('reject <code>').description('keep the stranger with this code out')).action(async (code: string, options: Options) => {
    const refused = await callAsOperator(mesh(), routing.rejectPairing, options, { code, ...of(options) });
    output().result(refused, `${refused.senderName ?? refused.senderId} is not heard on ${refused.channel}/${refused.account} for a week.`);
  });
}
