import type { Bus, Consumption, Delivery, Outcome } from '@plexus/bus';
import { channelConsumer, channelContracts, type DataOf, type InputOf } from '@plexus/contracts';

export type SendCommand = DataOf<typeof channelContracts.sendTelegram>;
type Verdict = { ok: true } | { ok: false; error: InputOf<typeof channelContracts.sendFailed>['error'] } | 'silent';

/** A channel on the bus: takes what routing sends, answers as it is told, and says what people write. */
export class StandInAdapter {
  readonly sent: SendCommand[] = [];
  /** What becomes of a send; by default the platform takes it. */
  verdict: (command: SendCommand) => Verdict = () => ({ ok: true });
  #consumption: Consumption | undefined;
  #received = 0;

  constructor(
    private readonly bus: Bus,
    readonly name: 'telegram' | 'slack' = 'telegram',
  ) {}

  start(): this {
    this.#consumption = this.bus.consume(channelConsumer(this.name), (delivery) => this.#send(delivery as Delivery<SendCommand>), { concurrency: 8 });
    return this;
  }

  async stop(): Promise<void> {
    await this.#consumption?.stop();
  }

  /** Somebody writes. Returns the id of the message. */
  async receive(
    message: Partial<InputOf<typeof channelContracts.messageReceived>> & { text: string },
    { tenant = 'acme', source = this.name as string, key }: { tenant?: string; source?: string; key?: string } = {},
  ): Promise<string> {
    this.#received += 1;
    const data = {
      account: 'work',
      messageId: `m${this.#received}`,
      chat: { kind: 'dm' as const, id: '42' },
      sender: { id: '42', name: 'Ada' },
      receivedAt: new Date().toISOString(),
      ...message,
    };
    const contract = channelContracts.fromAdapter(channelContracts.messageReceived, source);
    await this.bus.publish(contract, { tenant, key: [key ?? data.account], data, source });
    return data.messageId;
  }

  async #send({ tenant, data }: Delivery<SendCommand>): Promise<Outcome> {
    this.sent.push(data);
    const verdict = this.verdict(data);
    if (verdict === 'silent') return { kind: 'done' };
    await (verdict.ok ? this.succeed(data, tenant) : this.fail(data, verdict.error, tenant));
    return { kind: 'done' };
  }

  async succeed({ sendId, attempt, account }: SendCommand, tenant = 'acme', source: string = this.name): Promise<void> {
    const data = { sendId, attempt, account, messageId: `out-${sendId}-${attempt}`, at: new Date().toISOString() };
    await this.bus.publish(channelContracts.fromAdapter(channelContracts.sendSucceeded, source), { tenant, key: [sendId], data, source });
  }

  async fail({ sendId, attempt, account }: SendCommand, error: InputOf<typeof channelContracts.sendFailed>['error'], tenant = 'acme'): Promise<void> {
    const data = { sendId, attempt, account, error, at: new Date().toISOString() };
    await this.bus.publish(channelContracts.fromAdapter(channelContracts.sendFailed, this.name), { tenant, key: [sendId], data, source: this.name });
  }
}
