import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { CommandFailure, EXIT } from '../exit-code.js';
import { callGateway, type GatewayAccess } from '../gateway-call.js';
import { gatewayAccess, type MeshOptions } from '../mesh.js';
import type { Output } from '../output.js';

const POLL_MS = 200;
const REQUEST_LIMIT_MS = 15_000;

interface Inbox {
  readonly items: readonly { readonly id: string; readonly offset: number; readonly events: readonly { readonly id: string }[] }[];
}
interface Explanation {
  readonly outcome: string;
  readonly sentence: string;
}
type Api = <T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) => Promise<T>;

/**
 * `plexus smoke`: follows a case of its own, publishes one event about it, waits until the decision has put it into the inbox, asks why, and takes away what it made.
 * Needs nothing but the gateway and a user's token (operator.read, operator.write); exit 4 when the event did not arrive.
 */
export function smokeCommand(program: Command, output: () => Output, mesh: () => MeshOptions): void {
  program
    .command('smoke')
    .description('publish one event and see it arrive: through gateway, NATS, push and Postgres')
    .option('--timeout <seconds>', 'how long the event may take', seconds, 60)
    .action(async ({ timeout }: { timeout: number }) => {
      const result = await smoke(apiOf(gatewayAccess(mesh())), timeout);
      output().result(result, `inbox item #${result.offset} after ${result.ms} ms: ${result.sentence}`);
    });
}

async function smoke(api: Api, limitSeconds: number): Promise<{ event: string; offset: number; ms: number; outcome: string; sentence: string }> {
  const id = randomUUID();
  const scopeRef = `smoke-${id}`;
  const { subscription } = await api<{ subscription: { id: string } }>('POST', '/v1/subscriptions', { scopeKind: 'case', scopeRef });
  const forget = (): Promise<unknown> => api('DELETE', `/v1/subscriptions/${subscription.id}`);
  try {
    const data = { summary: 'One event, to see it arrive', caseId: scopeRef };
    const published = performance.now();
    await api('POST', '/v1/events', { specversion: '1.0', id, source: '/plexus/smoke', type: 'smoke.published', severity: 'high', data });
    const explain = (): Promise<Explanation> => api('GET', `/v1/push/explain?event=${id}`);
    const item = await arrival(api, id, performance.now() + limitSeconds * 1_000);
    if (item === undefined) {
      const { outcome, sentence } = await explain();
      throw new CommandFailure(
        `The event ${id} did not reach the inbox within ${limitSeconds} s.`,
        EXIT.findings,
        `${outcome}: ${sentence}`,
        'SMOKE_NOT_DELIVERED',
      );
    }
    const ms = Math.round(performance.now() - published);
    const { outcome, sentence } = await explain();
    await api('POST', '/v1/inbox/marks', { ids: [item.id], state: 'done' });
    await forget();
    return { event: id, offset: item.offset, ms, outcome, sentence };
  } catch (error) {
    // What went wrong first is what is told; a gateway that is gone takes no leave either.
    await forget().catch(() => undefined);
    throw error;
  }
}

async function arrival(api: Api, event: string, deadline: number): Promise<Inbox['items'][number] | undefined> {
  for (;;) {
    const { items } = await api<Inbox>('GET', '/v1/inbox?limit=50');
    const item = items.find(({ events }) => events.some(({ id }) => id === event));
    if (item !== undefined || performance.now() > deadline) return item;
    await sleep(POLL_MS);
  }
}

const apiOf =
  (access: GatewayAccess): Api =>
  (method, path, body) =>
    callGateway(access, method, path, body, { timeoutMs: REQUEST_LIMIT_MS, hint: 'Is --gateway its client port?' });

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 600) throw new InvalidArgumentError('It is a whole number of seconds, 1 to 600.');
  return value;
}
