import { randomBytes } from 'node:crypto';
import { REQUEST_METHODS, TELL_METHODS, VM_FRAMES, type VmFrameType } from '@plexus/vm-protocol';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { waitFor } from '../../src/index.js';
import type { Row } from './attack.js';
import { fill, type JsonSchema, type Pool } from './fill-schema.js';
import type { Planted } from './plant.js';
import type { Resident, TwoTenants } from './two-tenants.js';

interface Frame {
  readonly type: string;
  readonly id?: string;
  readonly fack?: number;
  readonly error?: { readonly code: string } | null;
}

interface Attached {
  readonly vmId: string;
  readonly epoch: number;
  readonly userId: string;
  readonly ticket: string;
  readonly token: string;
}

const PATIENCE_MS = 90_000;

/** A VM socket that says what it likes, and keeps everything that it is sent. */
class VmSocket {
  readonly frames: Frame[] = [];
  readonly texts: string[] = [];
  closed: number | undefined;
  private fseq = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data) => {
      this.texts.push(String(data));
      this.frames.push(JSON.parse(String(data)) as Frame);
    });
    socket.on('close', (code) => {
      this.closed = code;
    });
    // What goes wrong ends in `close`.
    socket.on('error', () => undefined);
  }

  static async open(ws: string, query: Readonly<Record<string, string>>, auth: Readonly<Record<string, unknown>>): Promise<VmSocket> {
    const vm = new VmSocket(new WebSocket(`${ws}/ws/vm?${new URLSearchParams(query)}`));
    vm.socket.on('open', () => vm.socket.send(JSON.stringify({ type: 'auth', protocol: 2, client_nonce: 'nonce-nonce', recv_seq: 0, sent_seq: 0, ...auth })));
    await waitFor(() => vm.closed !== undefined || vm.frames.length > 0, { timeoutMs: PATIENCE_MS, what: 'an answer to the hello of a VM' });
    return vm;
  }

  get admitted(): boolean {
    return this.frames.some(({ type }) => type === 'init');
  }

  send(frame: object): void {
    this.socket.send(JSON.stringify(frame));
  }

  /** Sends a frame with a number. Resolves when the mesh has taken it. */
  async offer(frame: object): Promise<void> {
    this.fseq += 1;
    const { fseq } = this;
    this.send({ ...frame, fseq });
    await this.until(() => this.frames.some(({ fack }) => (fack ?? 0) >= fseq), `the receipt of ${(frame as Frame).type}`);
  }

  async until<T>(found: () => T | undefined, what: string): Promise<NonNullable<T>> {
    const answer = await waitFor(() => (this.closed === undefined ? found() : 'closed'), { timeoutMs: PATIENCE_MS, intervalMs: 20, what });
    if (answer === 'closed') throw new Error(`closed with ${this.closed} before ${what}`);
    return answer as NonNullable<T>;
  }

  close(): void {
    this.socket.terminate();
  }
}

/** Every method and every frame that a VM may send, by a VM of one tenant, with names of things of another. `forged` stands in every text that it makes up. */
export async function tryVm(two: TwoTenants, by: Resident, planted: Planted, pool: Pool): Promise<{ readonly rows: Row[]; readonly forged: string }> {
  const forged = `forged-by-vm-${randomBytes(8).toString('hex')}`;
  const own = await by.do<Attached>('POST', '/v1/vms/attach', { scope: 'agent:outside', waitMs: 30_000 });
  const hello = { token: own.token, vm_id: own.vmId, epoch: own.epoch };
  const vm = await VmSocket.open(two.mesh.gateway.ws, { user_id: own.userId, ticket: own.ticket }, hello);
  if (!vm.admitted) throw new Error(`its own VM was not let in: ${vm.closed} ${vm.texts.join(' ')}`);
  try {
    const rows = [...(await tryHellos(two, own, planted)), ...(await tryCalls(vm, planted, pool, forged)), ...(await tryFrames(vm, planted, forged))];
    return {
      rows: [...rows, { surface: 'VM socket', name: 'everything that it was sent', outcome: `${vm.texts.length} frames`, answer: vm.texts.join('\n') }],
      forged,
    };
  } finally {
    vm.close();
  }
}

/** To come in as somebody else. */
async function tryHellos(two: TwoTenants, own: Attached, planted: Planted): Promise<Row[]> {
  const hello = { token: own.token, vm_id: own.vmId, epoch: own.epoch };
  const attempts: [string, Readonly<Record<string, string>>, Readonly<Record<string, unknown>>][] = [
    ['auth as the VM of another', { user_id: own.userId }, { ...hello, vm_id: planted.vmId }],
    ['auth as another incarnation', { user_id: own.userId }, { ...hello, epoch: own.epoch + 1 }],
    ['auth as another incarnation of the VM of another', { user_id: own.userId }, { ...hello, vm_id: planted.vmId, epoch: 1 }],
    ['auth as another person', { user_id: 'carl' }, hello],
    ['auth with a token that was written over', { user_id: own.userId }, { ...hello, token: `${own.token.slice(0, -8)}AAAAAAAA` }],
    ['auth with a ticket that was used', { user_id: own.userId, ticket: own.ticket }, { ...hello, client_nonce: 'another-nonce' }],
  ];
  const rows: Row[] = [];
  for (const [name, query, auth] of attempts) {
    const socket = await VmSocket.open(two.mesh.gateway.ws, query, auth);
    if (!socket.admitted) await waitFor(() => socket.closed, { timeoutMs: PATIENCE_MS, what: `the end of ${name}` });
    rows.push({ surface: 'VM socket', name, outcome: socket.admitted ? 'ADMITTED' : `refused ${socket.closed}`, answer: socket.texts.join('\n') });
    socket.close();
  }
  return rows;
}

/** Every method of the tables of the protocol, out of the session of another. */
async function tryCalls(vm: VmSocket, planted: Planted, pool: Pool, forged: string): Promise<Row[]> {
  const texts = { content: forged, summary: forged, text: forged, event: forged, name: forged, description: forged, skill_md: forged, query: 'Remember' };
  const names = { skill_id: planted.skillId, run_id: planted.runId, agent_id: 'main', topics: [planted.person], top_k: 50 };
  const all: Pool = { ...pool, ...texts, ...names, session_id: planted.sessionId, server: 'files', tool: 'read', quality_score: 1 };
  const inputOf = (params: z.ZodType): unknown => {
    const schema = z.toJSONSchema(params, { io: 'input', unrepresentable: 'any' }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
    return fill(schema, all, schema.$defs ?? {});
  };
  const rows: Row[] = [];
  for (const [method, { params }] of Object.entries(REQUEST_METHODS)) {
    const id = `try-${method}`;
    await vm.offer({ type: 'request', id, session_id: planted.sessionId, method, params: inputOf(params) });
    const answer = await vm.until(() => vm.frames.find((frame) => frame.type === 'response' && frame.id === id), `the answer to ${method}`);
    rows.push({
      surface: 'VM socket',
      name: `request ${method}`,
      outcome: answer.error ? `refused ${answer.error.code}` : 'answered',
      answer: JSON.stringify(answer),
    });
  }
  for (const [method, { params }] of Object.entries(TELL_METHODS)) {
    await vm.offer({ type: 'fire_and_forget', session_id: planted.sessionId, method, params: inputOf(params) });
    rows.push({ surface: 'VM socket', name: `fire_and_forget ${method}`, outcome: 'taken', answer: '' });
  }
  return rows;
}

/** Every frame that is no call. */
async function tryFrames(vm: VmSocket, { sessionId, runId, vmId }: Planted, forged: string): Promise<Row[]> {
  const data = JSON.stringify({ type: 'execution_complete', content: forged });
  const trace = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', parent_span_id: '00f067aa0ba902b7' };
  const attempts: Readonly<Record<Exclude<VmFrameType, 'request' | 'fire_and_forget'>, () => Promise<unknown>>> = {
    auth: async () => vm.send({ type: 'auth', token: 'x', protocol: 2, vm_id: vmId, epoch: 1, client_nonce: 'nonce-nonce', recv_seq: 0, sent_seq: 0 }),
    resume: async () => {
      vm.send({ type: 'resume', pending_ids: [runId, sessionId, 'try-mcp_call'], last_seq: 0 });
      await vm.until(() => vm.frames.find(({ type }) => type === 'resume_response'), 'the answer to resume');
    },
    heartbeat: async () => {
      vm.send({ type: 'heartbeat', active_sessions: [sessionId] });
      await vm.until(() => vm.frames.find(({ type }) => type === 'heartbeat_ack'), 'the answer to a heartbeat');
    },
    sse_event: () => vm.offer({ type: 'sse_event', session_id: sessionId, run_id: runId, run_seq: 1_000, data }),
    ack: async () => vm.send({ type: 'ack', fack: 1_000_000 }),
    nack: async () => vm.send({ type: 'nack', expected: 1 }),
    run_accepted: () => vm.offer({ type: 'run_accepted', session_id: sessionId, run_id: runId }),
    run_rejected: () => vm.offer({ type: 'run_rejected', session_id: sessionId, run_id: runId, code: 'QUEUE_FULL', message: forged }),
    cancel_ack: () => vm.offer({ type: 'cancel_ack', session_id: sessionId, run_id: runId, state: 'cancelled' }),
    config_ack: () => vm.offer({ type: 'config_ack', session_id: sessionId, applied: [forged], deferred: [], rejected: [], restart_required: false }),
    spans: async () => vm.send({ type: 'spans', spans: [{ ...trace, op: 'tool', tool: forged, start_ms: Date.now(), duration_ms: 1 }] }),
  };
  const rows: Row[] = [];
  for (const type of Object.keys(VM_FRAMES)) {
    const attempt = attempts[type as keyof typeof attempts] as (() => Promise<unknown>) | undefined;
    if (attempt === undefined) continue;
    await attempt();
    rows.push({ surface: 'VM socket', name: `frame ${type}`, outcome: 'taken', answer: '' });
  }
  // The frames without a receipt were read when one behind them has its own.
  await vm.offer({ type: 'cancel_ack', session_id: sessionId, state: 'not_running' });
  return rows;
}
