import { setTimeout as sleep } from 'node:timers/promises';
import { canary } from '../history.js';
import type { Random } from '../random.js';
import { Device } from './device.js';
import { HttpUser } from './http-user.js';
import type { Recorder } from './recorder.js';

export interface PersonOptions {
  readonly ws: string;
  readonly http: string;
  readonly token: string;
  readonly tenant: string;
  readonly user: string;
  readonly cases: readonly string[];
  readonly recorder: Recorder;
  readonly random: Random;
  /** How much happens: 1 is the usual pace. */
  readonly pace: number;
}

export const SESSIONS = ['agent:main:main', 'agent:main:side'] as const;
/** Mean pauses in ms at pace 1. */
const PAUSES = { say: 3_500, remember: 5_000, inject: 15_000, ensure: 10_000, cut: 25_000 } as const;
const PATIENT = { forMs: 60_000, tries: 1_000 };
/** What a person does who gives up at the first sign of trouble: its outcome stays unknown. */
const HASTY = { forMs: 6_000, tries: 1 };
const HASTY_SHARE = 0.15;
const WORDS =
  'amber basalt cobalt delta ember fjord garnet harbor indigo jasper kelp lagoon maple nectar onyx pebble quartz raven sable tundra umber violet willow'.split(
    ' ',
  );

/** One person with two devices: talks in two sessions, remembers, has things injected, asks for the VM, and loses the connection now and then. */
export class Person {
  readonly devices: readonly Device[];
  readonly http: HttpUser;
  private counter = 0;

  constructor(readonly options: PersonOptions) {
    const { ws, token, tenant, user, recorder, http } = options;
    this.http = new HttpUser(http, token);
    this.devices = ['phone', 'desk'].map((name) => new Device({ url: ws, token, tenant, user, name, recorder }));
  }

  /** Connects both devices, and follows the cases. Settles when all of it is acknowledged. */
  async settle(timeoutMs: number): Promise<void> {
    await Promise.all(this.devices.map((device) => device.connect(timeoutMs)));
    const giveUpAt = performance.now() + timeoutMs;
    while (!this.devices.every(({ isReady }) => isReady)) {
      if (performance.now() >= giveUpAt) throw new Error(`${this.name} did not get a first look at the inbox`);
      await sleep(50);
    }
    for (const scopeRef of this.options.cases) await this.http.request('POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef }, { timeoutMs: 30_000 });
  }

  get name(): string {
    return `${this.options.tenant}/${this.options.user}`;
  }

  /** Works until the signal says stop; settles when nothing of it is under way any more. */
  async work(stop: AbortSignal): Promise<void> {
    const loops = [
      ...SESSIONS.map((session) => this.loop(`say ${session}`, PAUSES.say, stop, (random) => this.say(session, random))),
      this.loop('remember', PAUSES.remember, stop, (random) => this.remember(random)),
      this.loop('inject', PAUSES.inject, stop, () => this.inject()),
      this.loop('ensure', PAUSES.ensure, stop, () => this.ensure()),
      ...this.devices.map((device, at) => this.loop(`cut ${at}`, PAUSES.cut, stop, async () => device.cut())),
    ];
    await Promise.all(loops);
  }

  close(): void {
    for (const device of this.devices) device.close();
  }

  private async loop(label: string, pauseMs: number, stop: AbortSignal, work: (random: Random) => Promise<unknown>): Promise<void> {
    const random = this.options.random.fork(`${this.name}/${label}`);
    while (!stop.aborted) {
      await sleep(random.exponentialMs((1_000 / pauseMs) * this.options.pace), undefined, { signal: stop }).catch(() => {}); // stopped: the loop ends
      if (!stop.aborted) await work(random);
    }
  }

  private id(kind: string): string {
    this.counter += 1;
    return `${kind}-${this.options.tenant}-${this.options.user}-${this.counter}`;
  }

  private async say(session: string, random: Random): Promise<void> {
    const { tenant, user, recorder } = this.options;
    const id = this.id('run');
    const patience = random.chance(HASTY_SHARE) ? HASTY : PATIENT;
    const phone = this.devices[0] as Device;
    // The same words at every try: another message under the same key would be a conflict.
    const params = { sessionKey: session, message: `${canary(tenant)} ${id} ${random.pick(WORDS)}?`, idempotencyKey: id };
    await recorder.attempt({ id, kind: 'say', tenant, user, place: session }, patience, async () => {
      await phone.client.request('chat.send', { ...params, queueMode: 'followup', on_client_disconnect: 'continue' }, { timeoutMs: 8_000 });
      return undefined;
    });
  }

  private async remember(random: Random): Promise<void> {
    const { tenant, user, recorder } = this.options;
    const id = this.id('mem');
    const words = Array.from({ length: 6 }, () => random.pick(WORDS)).join(' ');
    const patience = random.chance(HASTY_SHARE) ? HASTY : PATIENT;
    await recorder.attempt({ id, kind: 'remember', tenant, user, place: '' }, patience, async () => {
      const written = await this.http.request<{ id: string }>('POST', '/v1/memory', { content: `${canary(tenant)} [${id}] ${words}` }, { key: id });
      return written.id;
    });
  }

  private async inject(): Promise<void> {
    const { tenant, user, recorder } = this.options;
    const said = recorder.operations.some(
      ({ kind, outcome, ...one }) => kind === 'say' && outcome === 'ok' && one.tenant === tenant && one.user === user && one.place === SESSIONS[0],
    );
    // Only an existing session can be written into.
    if (!said) return;
    const id = this.id('inj');
    await recorder.attempt({ id, kind: 'inject', tenant, user, place: SESSIONS[0] }, PATIENT, async () => {
      const path = `/v1/sessions/${encodeURIComponent(SESSIONS[0])}/inject`;
      await this.http.request('POST', path, { message: `${canary(tenant)} [${id}] note` }, { key: id });
      return undefined;
    });
  }

  private async ensure(): Promise<void> {
    const { tenant, user, recorder } = this.options;
    await recorder.attempt({ id: this.id('vm'), kind: 'ensure', tenant, user, place: '' }, PATIENT, async () => {
      const answer = await this.http.request<{ vmId: string }>('POST', '/v1/vms/ensure', { scope: 'user', wait: 'none' });
      return answer.vmId;
    });
  }
}
