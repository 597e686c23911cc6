import { sessionContracts } from '@plexus/contracts';
import { ulid } from '@plexus/kernel';
import { type OwnersOfAnswers, serveOwners } from './owner-stand-ins.js';
import { SchedulerStandIn } from './scheduler-stand-in.js';
import { type TestGateway, TestMesh } from './test-mesh.js';
import { TestVm, VmSocketClient } from './test-vm.js';
import { type RuntimeEnvironment, ThirdPartyRuntime } from './third-party-runtime.js';

export interface Session {
  readonly sessionId: string;
  readonly sessionKey: string;
  readonly owner: string;
  readonly agentId: string;
}

export interface StoredEvent {
  readonly runSeq: number;
  readonly runId: string;
  readonly epoch: number;
  readonly vmId: string;
  readonly owner: string;
  readonly event: { readonly type: string; readonly content?: string };
}

let number = 0;

/** A mesh with one gateway, a scheduler that hands VMs out, and the services that answer their requests. */
export class VmWorld {
  private readonly clients: VmSocketClient[] = [];
  private readonly runtimes: ThirdPartyRuntime[] = [];

  private constructor(
    readonly mesh: TestMesh,
    readonly gateway: TestGateway,
    readonly scheduler: SchedulerStandIn,
    readonly owners: OwnersOfAnswers,
  ) {}

  static async start(settings: Record<string, string> = {}): Promise<VmWorld> {
    const mesh = await TestMesh.start();
    const [schedulerBus, memoryBus, routingBus] = await Promise.all([mesh.standIn('scheduler'), mesh.standIn('memory'), mesh.standIn('routing')]);
    const scheduler = new SchedulerStandIn(schedulerBus);
    const owners = serveOwners({ scheduler: schedulerBus, memory: memoryBus, routing: routingBus });
    return new VmWorld(mesh, await mesh.gateway(settings), scheduler, owners);
  }

  /** Between tests: nothing fails any more, and every socket is gone. */
  reset(): void {
    this.scheduler.failing.clear();
    this.scheduler.refused.clear();
    for (const client of this.clients.splice(0)) client.close();
    for (const runtime of this.runtimes.splice(0)) runtime.cut();
  }

  stop(): Promise<void> {
    return this.mesh.stop();
  }

  session(owner = 'me'): Session {
    return { sessionId: ulid(), sessionKey: 'agent:main:main', owner, agentId: 'main' };
  }

  create(sessions: Session[] = [], owner = 'me') {
    return this.scheduler.create(`vm-${++number}`, { owner, sessions: sessions.map((session) => ({ ...session })) });
  }

  /** A VM of the reliable profile with its first connection. */
  async connected(o: { sessions?: Session[]; gateway?: TestGateway } = {}) {
    const record = this.create(o.sessions);
    const vm = new TestVm(record.vmId);
    return { vm, record, client: await this.connect(vm, o.gateway) };
  }

  async connect(vm: TestVm, gateway = this.gateway): Promise<VmSocketClient> {
    const client = await vm.connect(gateway.ws);
    this.clients.push(client);
    return client;
  }

  async open(query: Record<string, string>, gateway = this.gateway): Promise<VmSocketClient> {
    const client = await VmSocketClient.open(gateway.ws, query);
    this.clients.push(client);
    return client;
  }

  /** A runtime of the plain profile, not connected yet. */
  plain(change: Partial<RuntimeEnvironment> = {}) {
    const session = this.session();
    const record = this.create([session]);
    const { vmId, owner } = record;
    const env = { CONTROL_PLANE_WS: `${this.gateway.ws}/ws/vm`, VM_USER_ID: owner, VM_TICKET: `ticket-${vmId}`, VM_TOKEN: `${vmId}/1`, ...change };
    const runtime = new ThirdPartyRuntime(env);
    this.runtimes.push(runtime);
    return { record, runtime, session };
  }

  /** Everything stored of a session, in stream order. */
  async stored(sessionId: string, tenant = 'default'): Promise<StoredEvent[]> {
    const subject = sessionContracts.sessionEvent.subject(tenant, sessionId);
    const last = await this.mesh.operator.lastOnSubject('PLEXUS_EVT_SESSION', subject);
    const events: StoredEvent[] = [];
    if (last === undefined) return events;
    await new Promise<void>((resolve) => {
      const reading = this.mesh.operator.readOrdered('PLEXUS_EVT_SESSION', { filter: subject, from: 'all' }, (message) => {
        events.push(message.json<{ data: StoredEvent }>().data);
        if (message.seq < last.seq) return;
        void reading.stop();
        resolve();
      });
    });
    return events;
  }
}
