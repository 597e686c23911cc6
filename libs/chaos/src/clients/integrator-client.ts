import { setTimeout as sleep } from 'node:timers/promises';
import { type Bus, connectBus } from '@plexus/bus';
import { canary } from '../history.js';
import type { Integrator } from '../mesh/mesh-seed.js';
import type { Random } from '../random.js';
import type { Recorder } from './recorder.js';

export interface IntegratorOptions {
  readonly identity: Integrator;
  readonly servers: string;
  readonly cases: readonly string[];
  readonly recorder: Recorder;
  readonly random: Random;
  readonly pace: number;
}

const PAUSE_MS = 1_200;
const PATIENT = { forMs: 60_000, tries: 1_000 };
const HASTY = { forMs: 3_000, tries: 1 };
const HASTY_SHARE = 0.15;
/** So many events are published once more, later, half of them without the id by which the stream would know them. */
const REPEATED_SHARE = 0.2;

/** A program of a tenant that publishes events over NATS with its own credential, some of them more than once on purpose. */
export class IntegratorClient {
  private counter = 0;
  private readonly repeats: Promise<void>[] = [];

  private constructor(
    private readonly options: IntegratorOptions,
    private readonly bus: Bus,
  ) {}

  static async connect(options: IntegratorOptions): Promise<IntegratorClient> {
    const { user, password } = options.identity;
    return new IntegratorClient(options, await connectBus({ service: user, servers: options.servers, credentials: { user, pass: password } }));
  }

  async work(stop: AbortSignal): Promise<void> {
    const { random, pace } = this.options;
    while (!stop.aborted) {
      await sleep(random.exponentialMs((1_000 / PAUSE_MS) * pace), undefined, { signal: stop }).catch(() => {}); // stopped: the loop ends
      if (!stop.aborted) await this.event(stop);
    }
    await Promise.all(this.repeats);
  }

  async close(): Promise<void> {
    await this.bus.close();
  }

  private async event(stop: AbortSignal): Promise<void> {
    const { identity, cases, recorder, random } = this.options;
    const { tenant } = identity;
    this.counter += 1;
    const id = `evt-${tenant}-${this.counter}`;
    const place = random.pick(cases);
    const patience = random.chance(HASTY_SHARE) ? HASTY : PATIENT;
    const again = random.chance(REPEATED_SHARE) ? { afterMs: random.between(100, 20_000), withId: random.chance(0.5) } : undefined;
    const operation = await recorder.attempt({ id, kind: 'event', tenant, user: '', place }, patience, async () => {
      await this.publish(id, place, true);
      return undefined;
    });
    if (again === undefined || operation.outcome !== 'ok') return;
    const repeat = sleep(again.afterMs, undefined, { signal: stop }).then(() => this.publish(id, place, again.withId));
    this.repeats.push(repeat.catch(() => {})); // a repeat that fails, or was not sent any more, changes nothing
  }

  private async publish(id: string, caseId: string, withId: boolean): Promise<void> {
    const { tenant, source } = this.options.identity;
    const event = {
      specversion: '1.0',
      id,
      source: `/${source}`,
      type: `${source}.case-changed`,
      time: new Date().toISOString(),
      data: { summary: `${canary(tenant)} ${id}`, caseId },
    };
    const body = new TextEncoder().encode(JSON.stringify(event));
    await this.bus.publishRaw(`plexus.in.${tenant}.${source}.case-changed.v1.${id}`, body, { timeoutMs: 5_000, ...(withId && { msgId: id }) });
  }
}
