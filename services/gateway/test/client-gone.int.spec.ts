import { waitFor } from '@plexus/testing';
import { EventReader } from './support/event-reader.js';
import { PushStandIn } from './support/push-stand-in.js';
import { RawClient } from './support/raw-client.js';
import { RoutingStandIn } from './support/routing-stand-in.js';
import { SchedulerStandIn } from './support/scheduler-stand-in.js';
import { type TestGateway, TestMesh } from './support/test-mesh.js';
import { ThirdPartyRuntime } from './support/third-party-runtime.js';

const PATIENT = { timeoutMs: 60_000 };

/** A run of one user, in a session of its own, that an agent on a VM works on until somebody stops it. */
interface Scene {
  readonly user: string;
  readonly runId: string;
  readonly sessionKey: string;
  readonly token: string;
  readonly runtime: ThirdPartyRuntime;
  readonly sessionId: string;
}

describe('C5: a client that goes away during a run', () => {
  let mesh: TestMesh;
  let first: TestGateway;
  let second: TestGateway;
  let routing: RoutingStandIn;
  let scheduler: SchedulerStandIn;
  let number = 0;
  const streams: EventReader[] = [];
  const sockets: RawClient[] = [];
  const scenes = new Map<string, Scene>();

  beforeAll(async () => {
    mesh = await TestMesh.start();
    const [routingBus, pushBus, schedulerBus] = await Promise.all([mesh.standIn('routing'), mesh.standIn('push'), mesh.standIn('scheduler')]);
    routing = new RoutingStandIn(routingBus);
    new PushStandIn(pushBus);
    scheduler = new SchedulerStandIn(schedulerBus);
    routing.onCancel = ({ sessionKey, reason }) => {
      const scene = scenes.get(sessionKey);
      if (scene === undefined) return;
      scheduler.queue(`vm-${scene.user}`, { type: 'cancel', session_id: scene.sessionId, data: { reason }, reason });
    };
    const grace = { GATEWAY_DISCONNECT_GRACE_MS: '400' };
    [first, second] = await Promise.all([mesh.gateway(grace), mesh.gateway(grace)]);
  });
  afterEach(() => {
    for (const stream of streams.splice(0)) stream.close();
    for (const socket of sockets.splice(0)) socket.close();
    for (const { runtime } of scenes.values()) runtime.cut();
    scenes.clear();
  });
  afterAll(() => mesh?.stop());

  /** A user with a VM whose agent stops only when it is told to. */
  async function prepare(): Promise<Omit<Scene, 'runId'>> {
    const user = `user-${++number}`;
    const sessionKey = `agent:main:${user}`;
    const session = routing.ensure({ tenant: 'default', user }, sessionKey);
    scheduler.create(`vm-${user}`, { owner: user, sessions: [{ sessionId: session.sessionId, sessionKey, owner: user, agentId: 'main' }] });
    const env = { CONTROL_PLANE_WS: `${first.ws}/ws/vm`, VM_USER_ID: user, VM_TICKET: `ticket-vm-${user}`, VM_TOKEN: `vm-${user}/1` };
    const runtime = new ThirdPartyRuntime(env);
    runtime.onFrame = ({ type }) => {
      if (type === 'cancel') runtime.event(session.sessionId, { type: 'execution_complete', cancelled: true });
    };
    await runtime.connect();
    await waitFor(() => runtime.received.some(({ type }) => type === 'init'), { what: 'init', ...PATIENT });
    return { user, sessionKey, token: await mesh.jwt({ sub: user }), runtime, sessionId: session.sessionId };
  }

  function begin(prepared: Omit<Scene, 'runId'>, runId: string): Scene {
    const scene = { ...prepared, runId };
    scenes.set(scene.sessionKey, scene);
    scheduler.queue(`vm-${scene.user}`, { type: 'user_message', session_id: scene.sessionId, data: { message: 'go', metadata: { run_id: runId } } });
    return scene;
  }

  async function say(prepared: Omit<Scene, 'runId'>, more: Record<string, unknown> = {}): Promise<Scene> {
    const response = await fetch(`${first.http}/v1/chat/send`, {
      method: 'POST',
      headers: { authorization: `Bearer ${prepared.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ sessionKey: prepared.sessionKey, message: 'go', idempotencyKey: `run-${prepared.user}`, ...more }),
    });
    expect(response.status).toBe(202);
    const scene = begin(prepared, ((await response.json()) as { runId: string }).runId);
    // Nobody can say anything about a run, least of all that it is over, before the run has reached the VM.
    await waitFor(() => scene.runtime.received.some(({ type }) => type === 'user_message'), { what: 'the message at the VM', ...PATIENT });
    return scene;
  }

  async function watch(gateway: TestGateway, { sessionKey, token }: Pick<Scene, 'sessionKey' | 'token'>, lastEventId?: number): Promise<EventReader> {
    const headers = { authorization: `Bearer ${token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }) };
    const stream = new EventReader(`${gateway.http}/v1/sessions/${encodeURIComponent(sessionKey)}/stream`, headers);
    streams.push(stream);
    await stream.ready();
    return stream;
  }

  async function connect(gateway: TestGateway, { token }: Pick<Scene, 'token'>): Promise<RawClient> {
    const client = await RawClient.connect(gateway.ws, token, { scopes: ['operator.read', 'operator.write'] });
    sockets.push(client);
    return client;
  }

  /** A run of somebody else that is left behind now: when that is cancelled, the grace of whoever left before is over. */
  async function graceIsOver(): Promise<void> {
    const prepared = await prepare();
    const stream = await watch(first, prepared);
    const witness = await say(prepared);
    stream.close();
    await cancelOf(witness);
  }

  const cancels = (scene: Scene) => routing.cancelled.filter(({ runId }) => runId === scene.runId);
  const cancelOf = (scene: Scene) => waitFor(() => cancels(scene)[0], { what: 'the cancel', ...PATIENT });
  const seen = (stream: EventReader, type: string) => waitFor(() => stream.types().includes(type), { what: type, ...PATIENT });

  it('is the reason of a cancel after the grace, and the stream ends with execution_complete {cancelled: true}', async () => {
    const prepared = await prepare();
    // The message and the tab come to different gateways, as behind a load balancer.
    const tab = await watch(second, prepared);
    const scene = await say(prepared);
    scene.runtime.event(scene.sessionId, { type: 'text_chunk', content: 'Hel' });
    await seen(tab, 'text_chunk');
    tab.close();
    expect(await cancelOf(scene)).toEqual({ sessionKey: scene.sessionKey, runId: scene.runId, reason: 'client_gone' });
    await waitFor(() => scene.runtime.received.some(({ type }) => type === 'cancel'), { what: 'cancel at the VM', ...PATIENT });
    expect(scene.runtime.received.find(({ type }) => type === 'cancel')).toEqual({
      type: 'cancel',
      session_id: scene.sessionId,
      data: { reason: 'client_gone' },
      reason: 'client_gone',
    });
    const later = await watch(first, scene, tab.events[0]?.id);
    await seen(later, 'execution_complete');
    expect(later.events.map(({ event, data }) => [event, data.cancelled])).toEqual([['execution_complete', true]]);
  });

  it('that is back within the grace, on another gateway, misses nothing, and nothing is cancelled', async () => {
    const prepared = await prepare();
    const tab = await watch(first, prepared);
    const scene = await say(prepared);
    for (const content of ['1', '2', '3']) scene.runtime.event(scene.sessionId, { type: 'text_chunk', content });
    await waitFor(() => tab.events.length === 3, { what: 'three chunks', ...PATIENT });
    // It had shown the first one only when its connection broke.
    const back = await watch(second, scene, tab.events[0]?.id);
    tab.close();
    scene.runtime.event(scene.sessionId, { type: 'text_chunk', content: '4' });
    await graceIsOver();
    scene.runtime.event(scene.sessionId, { type: 'execution_complete' });
    await seen(back, 'execution_complete');
    expect(back.events.map(({ event, data }) => data.content ?? event)).toEqual(['2', '3', '4', 'execution_complete']);
    expect(cancels(scene)).toEqual([]);
  });

  it('after the run has ended cancels nothing, nor does one whose message asked for the run to continue', async () => {
    const [ended, wanted] = await Promise.all([prepare(), prepare()]);
    const [endedTab, otherTab, wantedTab] = await Promise.all([watch(second, ended), watch(first, ended), watch(first, wanted)]);
    const done = await say(ended);
    const kept = await say(wanted, { on_client_disconnect: 'continue' });
    done.runtime.event(done.sessionId, { type: 'execution_complete', content: 'done' });
    // Both gateways have read the end before anybody leaves.
    await Promise.all([seen(endedTab, 'execution_complete'), seen(otherTab, 'execution_complete')]);
    endedTab.close();
    otherTab.close();
    wantedTab.close();
    await graceIsOver();
    expect([cancels(done), cancels(kept)]).toEqual([[], []]);
  });

  it('because its gateway restarts cancels nothing: that was us', async () => {
    const third = await mesh.gateway();
    const prepared = await prepare();
    const tab = await watch(third, prepared);
    const scene = await say(prepared);
    await third.stop();
    await waitFor(() => tab.ended, { what: 'the end of the stream', ...PATIENT });
    await graceIsOver();
    expect(cancels(scene)).toEqual([]);
  });

  it('by its socket is the reason of a cancel when no other socket of the user sees the session', async () => {
    const prepared = await prepare();
    const [laptop, phone] = await Promise.all([connect(first, prepared), connect(second, prepared)]);
    const params = { sessionKey: prepared.sessionKey, message: 'go', idempotencyKey: `run-${prepared.user}` };
    const sent = await laptop.request('chat.send', params);
    expect(sent.payload).toMatchObject({ status: 'started' });
    const scene = begin(prepared, params.idempotencyKey);
    laptop.close();
    await graceIsOver();
    expect(cancels(scene)).toEqual([]);
    phone.close();
    await cancelOf(scene);
    await waitFor(() => scene.runtime.received.some(({ type }) => type === 'cancel'), { what: 'cancel at the VM', ...PATIENT });
  });

  it('by its socket leaves a run alone whose message asked for that', async () => {
    const prepared = await prepare();
    const laptop = await connect(first, prepared);
    const params = { sessionKey: prepared.sessionKey, message: 'go', idempotencyKey: `run-${prepared.user}`, on_client_disconnect: 'continue' };
    await laptop.request('chat.send', params);
    const scene = begin(prepared, params.idempotencyKey);
    laptop.close();
    await graceIsOver();
    expect(cancels(scene)).toEqual([]);
  });
});
