import { AbortedError, type Clock, fullJitter, timeout } from '@plexus/kernel';
import type { Logger } from '@plexus/service-kit';
import type { AccountNotes } from './account-notes.js';
import { AccountRate } from './account-rate.js';
import type { AccountConnection, AccountPort, ChannelAdapter, DescribedError } from './channel-adapter.js';
import { ChatLanes } from './chat-lanes.js';
import type { DesiredAccount } from './desired-accounts.js';
import type { HttpListener } from './http-listener.js';
import type { AccountState, InboundGate } from './inbound-gate.js';
import { Latch } from './latch.js';
import type { PrivateHosts } from './private-hosts.js';
import { resolveSettings, type SecretSources, SettingsProblem } from './resolve-settings.js';
import { describeError } from './send-error.js';

/** What all accounts of one process share. */
export interface AccountSurroundings {
  readonly adapter: ChannelAdapter;
  readonly gate: InboundGate;
  readonly http: HttpListener;
  readonly secrets: SecretSources;
  readonly privateHosts: PrivateHosts;
  readonly notesOf: (tenant: string, account: string) => AccountNotes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly backoff: { readonly baseMs: number; readonly capMs: number };
}

const CONNECT_TIMEOUT_MS = 30_000;
const CLOSE_TIMEOUT_MS = 5_000;
/** A connection that lasted this long was a good one: the next failure begins with the shortest pause. */
const STABLE_MS = 30_000;
/** Sends of one account that may wait behind those under way. */
const MAX_WAITING = 16;

/** What a state reads like: `connecting` is before the first result. */
export interface AccountStatus {
  readonly state: AccountState | 'connecting';
  readonly reason?: string;
}

/**
 * One account, from the moment the configuration names it until it does not: connects, shows its state, and connects again with growing
 * pauses whenever the connection fails. Nothing that happens in here stops another account or the process.
 */
export class Account {
  readonly lanes: ChatLanes;
  readonly rate: AccountRate;
  private readonly stopping = new AbortController();
  private readonly log: Logger;
  private current: AccountConnection | undefined;
  private status: AccountStatus = { state: 'connecting' };
  private told: string | undefined;
  private telling: Promise<void> = Promise.resolve();
  private readonly life: Promise<void>;
  private readonly settled = new Latch<void>();

  constructor(
    readonly desired: DesiredAccount,
    private readonly around: AccountSurroundings,
  ) {
    const { adapter, clock } = around;
    this.lanes = new ChatLanes(adapter.concurrency ?? 4, MAX_WAITING);
    this.rate = new AccountRate(adapter.callsPerSecond ?? 20, clock);
    this.log = around.log.child({ tenant: desired.tenant, account: desired.account });
    this.life = this.live();
  }

  get connection(): AccountConnection | undefined {
    return this.current;
  }

  get state(): AccountStatus {
    return this.status;
  }

  /** Aborts when the account is being stopped. */
  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Settles when the first attempt to connect has a result, at the latest after `limitMs`. */
  async firstResult(limitMs: number): Promise<void> {
    await timeout(this.settled.promise, limitMs, { clock: this.around.clock }).catch(() => {}); // still connecting: the caller looks at the state
  }

  /** Closes the connection and settles when nothing of the account runs any more. `farewell`: why it is down from now on, said to the mesh. */
  async stop(farewell?: string): Promise<void> {
    this.stopping.abort(new AbortedError('the account was stopped'));
    await this.life;
    if (farewell !== undefined) this.report({ state: 'down', reason: farewell });
    await this.telling;
  }

  private async live(): Promise<void> {
    const { clock, backoff } = this.around;
    let failures = 0;
    while (!this.signal.aborted) {
      const startedAt = clock.monotonic();
      const end = await this.connectOnce();
      if (this.signal.aborted) break;
      if (clock.monotonic() - startedAt >= STABLE_MS) failures = 0;
      const pauseMs = Math.max(end.retryAfterMs ?? 0, fullJitter(failures, backoff), Math.min(50 * failures, 1_000));
      failures += 1;
      this.log.warn({ reason: end.message, code: end.code, status: end.status, retryInMs: pauseMs }, 'an account is not connected; trying again');
      await clock.sleep(pauseMs, this.signal).catch(() => {}); // stopped: the loop ends
    }
    this.settled.open();
  }

  /** One connection from beginning to end; resolves with the reason of the end. */
  private async connectOnce(): Promise<DescribedError> {
    const { adapter, clock } = this.around;
    const over = new AbortController();
    const signal = AbortSignal.any([this.signal, over.signal]);
    const ended = new Latch<unknown>();
    const onStop = (): void => ended.open(this.signal.reason);
    this.signal.addEventListener('abort', onStop, { once: true });
    const routes: (() => void)[] = [];
    let connecting: Promise<AccountConnection> | undefined;
    let connection: AccountConnection | undefined;
    let failure: unknown;
    try {
      const { env, ...sources } = this.around.secrets;
      const variables = { ...this.desired.variables, ...env };
      const settings = await resolveSettings(this.desired.settings, adapter.settings, { ...sources, env: variables });
      connecting = adapter.connect(this.port(settings, signal, ended.open, routes));
      connection = await timeout(connecting, CONNECT_TIMEOUT_MS, { clock, signal: this.signal, what: 'connection' });
      this.current = connection;
      this.report({ state: 'up' });
      failure = await ended.promise;
    } catch (error) {
      failure = error;
    }
    this.signal.removeEventListener('abort', onStop);
    this.current = undefined;
    const described = this.signal.aborted ? { message: 'stopped' } : this.describe(failure);
    for (const remove of routes) remove();
    over.abort(new AbortedError(described.message));
    if (connection !== undefined) await this.close(connection);
    // It may still come about after we gave it up.
    else
      connecting?.then((late) => this.close(late)).catch((error: unknown) => this.log.debug(describeError(error, adapter), 'an abandoned connection failed'));
    return described;
  }

  private describe(failure: unknown): DescribedError {
    const down = failure instanceof SettingsProblem;
    const described = down ? { message: failure.message, code: 'SETTINGS_INVALID', refused: true } : describeError(failure, this.around.adapter);
    this.report({ state: described.refused === true ? 'down' : 'degraded', reason: described.message });
    return described;
  }

  private async close(connection: AccountConnection): Promise<void> {
    try {
      await timeout(Promise.resolve(connection.close()), CLOSE_TIMEOUT_MS, { clock: this.around.clock, what: 'close' });
    } catch (error) {
      this.log.warn(describeError(error, this.around.adapter), 'a connection did not close in order');
    }
  }

  private port<S>(settings: S, signal: AbortSignal, lost: (reason: unknown) => void, routes: (() => void)[]): AccountPort<S> {
    const { adapter, gate, http, clock, privateHosts, notesOf } = this.around;
    const { tenant, account } = this.desired;
    return {
      tenant,
      account,
      settings,
      log: this.log,
      clock,
      signal,
      privateHosts,
      notes: notesOf(tenant, account),
      receive: (message) => gate.message(tenant, account, message, signal),
      lost,
      degraded: (reason) => {
        if (!signal.aborted) this.report({ state: 'degraded', reason: describeError(reason, adapter).message });
      },
      recovered: () => {
        if (!signal.aborted) this.report({ state: 'up' });
      },
      route: async (handler) => {
        routes.push(await http.add(`/channels/${adapter.adapter}/${tenant}/${account}`, handler));
      },
    };
  }

  /** Shows a state, and says it to the mesh once per change, in order. */
  private report(status: AccountStatus): void {
    const text = `${status.state} ${status.reason ?? ''}`;
    this.status = status;
    this.settled.open();
    if (text === this.told || status.state === 'connecting') return;
    this.told = text;
    const { state, reason } = status;
    if (state === 'up') this.log.info('account is up');
    this.telling = this.telling.then(async () => {
      try {
        // What has been overtaken meanwhile need not be said.
        if (this.told === text) await this.around.gate.state(this.desired.tenant, this.desired.account, state, reason);
      } catch (error) {
        if (this.told === text) this.told = undefined;
        this.log.warn({ error, state }, 'the state of an account could not be published');
      }
    });
  }
}
