/** An account as routing knows it: nobody but its adapter knows more. */
export interface KnownAccount {
  readonly channel: string;
  readonly accountId: string;
  readonly breaker: 'closed' | 'open' | 'half_open';
  readonly failures: number;
  readonly lastFailureAt?: string | undefined;
  readonly lastSuccessAt?: string | undefined;
}

/** Channels as clients of OpenClaw list them: in the order in which they come, accounts best first. What is not known is left out. */
export function channelsStatus(accounts: readonly KnownAccount[], now: number): object {
  const byChannel = new Map<string, KnownAccount[]>();
  for (const account of accounts) byChannel.set(account.channel, [...(byChannel.get(account.channel) ?? []), account]);
  const channels = [...byChannel.keys()];
  const each = <T>(make: (channel: string, accounts: readonly KnownAccount[]) => T): Record<string, T> =>
    Object.fromEntries([...byChannel].map(([channel, list]) => [channel, make(channel, list)]));
  return {
    ts: now,
    channelOrder: channels,
    channelLabels: each((channel) => labelOf(channel)),
    channelMeta: channels.map((id) => ({ id, label: labelOf(id), detailLabel: labelOf(id) })),
    channels: each((_channel, list) => ({ configured: true, running: list.some(isWell), ...(list.some(isWell) ? {} : { lastError: TROUBLE }) })),
    channelAccounts: each((_channel, list) => list.map(accountRow)),
    channelDefaultAccountId: each((_channel, list) => list.find(({ accountId }) => accountId === 'default')?.accountId ?? list[0]?.accountId ?? 'default'),
  };
}

const TROUBLE = 'messages are not tried at the moment: too many failed in a row';

const isWell = ({ breaker }: KnownAccount): boolean => breaker !== 'open';

const labelOf = (channel: string): string => `${channel.charAt(0).toUpperCase()}${channel.slice(1)}`;

function accountRow(account: KnownAccount): object {
  const { accountId, failures, lastSuccessAt } = account;
  return {
    accountId,
    ...{ enabled: true, configured: true, running: isWell(account), reconnectAttempts: failures },
    healthState: account.breaker === 'closed' ? 'healthy' : account.breaker === 'open' ? 'failing' : 'recovering',
    ...(lastSuccessAt !== undefined && { lastOutboundAt: Date.parse(lastSuccessAt) }),
    ...(isWell(account) ? {} : { lastError: TROUBLE }),
  };
}
