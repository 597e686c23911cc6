import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import { channelsStatus, type KnownAccount } from './channels-status.js';

// The package exports no path to it.
const schema = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../../../node_modules/@openclaw/gateway-protocol/protocol.schema.json');
const { definitions } = JSON.parse(readFileSync(schema, 'utf8'));
const fits = new Ajv({ strict: false }).compile({ ...definitions.ChannelsStatusResult, definitions });

const account = (channel: string, accountId: string, more: Partial<KnownAccount> = {}): KnownAccount => ({
  channel,
  accountId,
  breaker: 'closed',
  failures: 0,
  ...more,
});

describe('channels as clients of OpenClaw list them', () => {
  it.each<[string, KnownAccount[]]>([
    ['none', []],
    [
      'some',
      [
        account('telegram', 'work', { lastSuccessAt: new Date(5_000).toISOString() }),
        account('telegram', 'default', { breaker: 'open', failures: 7 }),
        account('slack', 'team'),
      ],
    ],
  ])('fit the published schema: %s', (_title, accounts) => {
    expect([fits(channelsStatus(accounts, 10_000)), fits.errors]).toEqual([true, null]);
  });

  it('say which accounts are in trouble, and which one is the default', () => {
    const status = channelsStatus(
      [account('telegram', 'work', { lastSuccessAt: new Date(5_000).toISOString() }), account('telegram', 'default', { breaker: 'open', failures: 7 })],
      1,
    );
    expect(status).toMatchObject({
      channelOrder: ['telegram'],
      channelLabels: { telegram: 'Telegram' },
      channels: { telegram: { configured: true, running: true } },
      channelDefaultAccountId: { telegram: 'default' },
      channelAccounts: {
        telegram: [
          { accountId: 'work', running: true, healthState: 'healthy', lastOutboundAt: 5_000 },
          { accountId: 'default', running: false, healthState: 'failing', reconnectAttempts: 7, lastError: expect.any(String) },
        ],
      },
    });
    expect(channelsStatus([account('slack', 'team', { breaker: 'open' })], 1)).toMatchObject({
      channels: { slack: { running: false, lastError: expect.any(String) } },
      channelDefaultAccountId: { slack: 'team' },
    });
  });
});
