import { randomBytes, randomUUID } from 'node:crypto';
import { METHODS, PROTOCOL_VERSION } from '@plexus/client-protocol';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { waitFor } from '../../src/index.js';
import { openClient, type Row } from './attack.js';
import { fill, type JsonSchema } from './fill-schema.js';
import type { Resident, TwoTenants } from './two-tenants.js';

interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly ok?: boolean;
  readonly event?: string;
  readonly payload?: { readonly id?: string };
  readonly error?: { readonly code: string; readonly details?: { readonly code?: string } };
}

const PATIENCE_MS = 60_000;
/** Both tenants have a machine of this name: nothing but the tenant tells them apart. */
const NODE_ID = 'e'.repeat(64);
const COMMAND = 'system.which';

/** Methods that only machines of people may call. */
export const NODE_METHODS = Object.entries(METHODS).flatMap(([name, { role, params }]) => (role === 'node' ? [{ name, params: params as z.ZodType }] : []));

/** A machine that somebody has connected. */
class NodeSocket {
  readonly frames: Frame[] = [];
  private count = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data) => this.frames.push(JSON.parse(String(data)) as Frame));
    // What goes wrong ends in an answer that does not come.
    socket.on('error', () => undefined);
  }

  static async open({ mesh }: TwoTenants, { token }: Resident): Promise<NodeSocket> {
    const node = new NodeSocket(new WebSocket(mesh.gateway.ws));
    await node.frame(({ event }) => event === 'connect.challenge', 'the challenge');
    const answer = await node.ask('connect', {
      ...{ minProtocol: PROTOCOL_VERSION, maxProtocol: PROTOCOL_VERSION, role: 'node', scopes: [], auth: { token } },
      ...{ client: { id: 'node-host', version: '1', platform: 'linux', mode: 'node' }, caps: ['system'], commands: [COMMAND], device: { id: NODE_ID } },
    });
    if (answer.ok !== true) throw new Error(`a machine was refused: ${JSON.stringify(answer.error)}`);
    return node;
  }

  frame(match: (frame: Frame) => boolean, what: string): Promise<Frame> {
    return waitFor(() => this.frames.find(match), { timeoutMs: PATIENCE_MS, intervalMs: 20, what });
  }

  ask(method: string, params: unknown): Promise<Frame> {
    this.count += 1;
    const id = `n${this.count}`;
    this.socket.send(JSON.stringify({ type: 'req', id, method, params }));
    return this.frame((frame) => frame.type === 'res' && frame.id === id, `the answer to ${method}`);
  }

  close(): void {
    this.socket.terminate();
  }
}

/** What a machine of one tenant reaches of another's: every method for machines, while a machine of the same name there is being asked something. */
export async function tryNode(
  two: TwoTenants,
  by: Resident,
  victim: Resident,
): Promise<{ readonly rows: Row[]; readonly forged: string; readonly answer: string; readonly heard: string[] }> {
  const forged = `forged-by-node-${randomBytes(8).toString('hex')}`;
  const heard: string[] = [];
  const theirs = await NodeSocket.open(two, victim);
  const own = await NodeSocket.open(two, by);
  const operator = await openClient(two, victim, (text) => heard.push(text));
  try {
    const call = { nodeId: NODE_ID, command: COMMAND, params: { name: 'sh' }, timeoutMs: 600_000, idempotencyKey: randomUUID() };
    const asking = operator.request('node.invoke', call, { timeoutMs: 600_000 });
    // Awaited at the end; what fails before then is the failure of this attempt.
    asking.catch(() => undefined);
    const asked = await theirs.frame(({ event }) => event === 'node.invoke.request', 'the question to the machine');
    const pool = { id: asked.payload?.id, invokeId: asked.payload?.id, nodeId: NODE_ID, ok: true, seq: 0, chunk: forged, event: forged };
    const texts = { payloadJSON: JSON.stringify({ forged }), payload: { forged }, name: forged, description: forged };
    const rows: Row[] = [];
    for (const { name, params } of NODE_METHODS) {
      const schema = z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
      const { ok, error, payload } = await own.ask(name, fill(schema, { ...pool, ...texts }, schema.$defs ?? {}));
      const outcome = ok === true ? 'answered' : `refused ${error?.details?.code ?? error?.code}`;
      rows.push({ surface: 'node socket', name, outcome, answer: JSON.stringify({ payload, error }) });
    }
    rows.push({ surface: 'node socket', name: 'everything that it was sent', outcome: `${own.frames.length} frames`, answer: JSON.stringify(own.frames) });
    await theirs.ask('node.invoke.result', { id: asked.payload?.id, nodeId: NODE_ID, ok: true, payloadJSON: '{"path":"/bin/sh"}' });
    return { rows, forged, answer: JSON.stringify(await asking), heard };
  } finally {
    operator.close();
    own.close();
    theirs.close();
  }
}
