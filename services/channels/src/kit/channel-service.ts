import 'reflect-metadata';
import { type DynamicModule, Module } from '@nestjs/common';
import type { Consumption } from '@plexus/bus';
import { BUCKETS, channelConsumer, sendCommandFor } from '@plexus/contracts';
import { runService, type ServiceConfig, type ServiceContext, type ServiceDefinition, type ServiceParts } from '@plexus/service-kit';
import type { AccountStatus } from './account.js';
import { accountNotes } from './account-notes.js';
import { Accounts } from './accounts.js';
import type { ChannelAdapter } from './channel-adapter.js';
import { channelConfig, secretVariables } from './config.js';
import { desiredAccounts } from './desired-accounts.js';
import { HttpListener } from './http-listener.js';
import { InboundGate } from './inbound-gate.js';
import { PrivateHosts } from './private-hosts.js';
import { SendLedger } from './send-ledger.js';
import { SendMessages } from './send-messages.js';

type Context = ServiceContext<ServiceConfig<typeof channelConfig>>;

@Module({})
class ChannelModule {}

/** Sends worked on at once over all accounts; one slow account holds at most its own share. */
const CONCURRENCY = 64;
const MAX_ACCOUNTS_SHOWN = 20;

/** The process of one adapter: everything but the conversation with the platform. Its `main.ts` is one call. */
export function runChannelAdapter(adapter: ChannelAdapter): Promise<void> {
  return runService(channelService(adapter));
}

/** The same as a definition, to be started within a test. */
export function channelService(adapter: ChannelAdapter): ServiceDefinition<typeof channelConfig> {
  return {
    name: `channel-${adapter.adapter}`,
    config: channelConfig,
    needs: { consumers: [channelConsumer(adapter.adapter)], streams: ['PLEXUS_IN'], buckets: [BUCKETS.channelSends] },
    create: (context) => createChannel(adapter, context),
  };
}

async function createChannel(adapter: ChannelAdapter, context: Context): Promise<ServiceParts> {
  const { bus, clock, config, log, tenants } = context;
  const gate = new InboundGate(bus, adapter.adapter, () => clock.now(), log);
  const http = new HttpListener({
    host: config.CHANNEL_HTTP_HOST,
    port: config.CHANNEL_HTTP_PORT,
    maxBodyBytes: config.CHANNEL_HTTP_MAX_BODY_BYTES,
    log,
  });
  const bucket = await bus.kv(BUCKETS.channelSends);
  const accounts = new Accounts({
    adapter,
    gate,
    http,
    secrets: { env: secretVariables(), folders: list(config.CHANNEL_SECRET_FOLDERS), forbidden: ownFiles(config) },
    privateHosts: new PrivateHosts(config.CHANNEL_PRIVATE_HOSTS),
    notesOf: (tenant, account) => accountNotes(bucket, context.name, tenant, account),
    clock,
    log,
    backoff: { baseMs: 1_000, capMs: config.CHANNEL_RETRY_CAP_MS },
  });
  const ledger = new SendLedger(bucket, context.name);
  const sender = new SendMessages({ adapter, accounts, ledger, gate, clock, log });

  const reconcile = (): void => {
    const wanted = Object.keys(tenants.platform().tenants).flatMap((tenant) => desiredAccounts(tenant, tenants.get(tenant), adapter.adapter));
    accounts.want(wanted).catch((error: unknown) => log.error({ error }, 'accounts could not be brought to what the configuration says'));
  };
  context.readiness('accounts', () => ({ ok: true, reason: describeAccounts(accounts) }));
  const stopObserving = context.metrics.observe('channelAccounts', (report) => {
    for (const state of ['up', 'degraded', 'down', 'connecting'] as const) {
      report(accounts.all().filter((account) => account.state.state === state).length, { adapter: adapter.adapter, state });
    }
  });
  const module: DynamicModule = { module: ChannelModule };
  return {
    module,
    start: async () => {
      const stopWatching = tenants.onChange(reconcile);
      reconcile();
      const command = sendCommandFor(adapter.adapter);
      const handler: Parameters<typeof bus.consume>[1] = (delivery) => sender.handle(delivery as never);
      const consumption: Consumption = bus.consume(channelConsumer(adapter.adapter), handler, { concurrency: CONCURRENCY, contracts: [command] });
      context.onShutdown('listeners', 'sends', async () => {
        stopWatching();
        stopObserving();
        await consumption.stop();
      });
      context.onShutdown('listeners', 'http', () => http.close());
      context.onShutdown('sockets', 'accounts', () => accounts.stop());
    },
  };
}

/** `2 of 3 up; acme/ops down: Unauthorized` */
function describeAccounts(accounts: Accounts): string {
  const all = accounts.all().map(({ desired, state }) => ({ name: `${desired.tenant}/${desired.account}`, ...state }));
  const up = all.filter(({ state }) => state === 'up').length;
  const others = all.filter(({ state }) => state !== 'up').slice(0, MAX_ACCOUNTS_SHOWN);
  return [`${up} of ${all.length} up`, ...others.map((one: AccountStatus & { name: string }) => `${one.name} ${one.state}${reasonOf(one)}`)].join('; ');
}

function reasonOf({ reason }: AccountStatus): string {
  return reason === undefined ? '' : `: ${reason}`;
}

/** Where the credentials of the mesh lie: no reference of a tenant may name them. */
function ownFiles(config: Context['config']): string[] {
  return [config.PLEXUS_STATE_DIR, config.NATS_NKEY_SEED_FILE, config.NATS_CREDS_FILE, config.NATS_KEY_FILE, '/proc', '/sys', '/run/secrets/plexus'].filter(
    (file) => file !== undefined,
  );
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
