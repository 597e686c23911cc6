import { readFileSync } from 'node:fs';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { waitFor } from '../../src/index.js';

/** A publisher that knows nothing of our code: a plain NATS client with the credential of the integrator `demo`. */
export class ForeignPublisher {
  private constructor(private readonly connection: NatsConnection) {}

  /** `urlFile` holds `nats://user:password@host:port`. */
  static async connect(urlFile: string): Promise<ForeignPublisher> {
    const { host, username, password } = new URL(readFileSync(urlFile, 'utf8').trim());
    return new ForeignPublisher(
      await connect({ servers: host, user: username, pass: decodeURIComponent(password), maxReconnectAttempts: -1, reconnectTimeWait: 100 }),
    );
  }

  /** Publishes one CloudEvent until the stream acknowledges it; the same id every time, so it is one event. */
  async publish(id: string, caseId: string, summary: string): Promise<void> {
    const event = { specversion: '1.0', id, source: '/demo', type: 'demo.import-finished', data: { summary, caseId } };
    await waitFor(
      async () => {
        const h = headers();
        h.set('Nats-Msg-Id', id);
        const answer = await this.connection.request(`plexus.in.default.demo.import-finished.v1.${id}`, JSON.stringify(event), { headers: h, timeout: 5_000 });
        return (answer.json() as { seq?: number }).seq;
      },
      { timeoutMs: 120_000, intervalMs: 200, what: `the acknowledgement of event ${id}` },
    );
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
