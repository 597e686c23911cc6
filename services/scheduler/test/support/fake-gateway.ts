import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type ResponseOf, vmContracts } from '@plexus/contracts';
import { waitFor } from '@plexus/testing';
import type { SchedulerMesh } from './mesh.js';

const { redeemTicket, verifyVmToken, attachVm, beatVms, readOutbox, ackOutbox } = vmContracts;

/** What the fake runtime was told on stdin. */
export interface Bootstrapped {
  readonly ticket: string;
  readonly token: string;
  readonly bootstrapSecret: string;
  readonly modelApiKey: string;
  readonly pid: number;
  readonly epoch: number;
  readonly environment: string[];
  readonly tool?: number;
}

/** Waits until the runtime of some epoch (not below `fromEpoch`) of this VM has come up. */
export async function bootstrapped(mesh: SchedulerMesh, vmId: string, fromEpoch = 1): Promise<Bootstrapped> {
  return waitFor(
    async () => {
      const [row] = await mesh.rows<{ current_epoch: number }>('SELECT current_epoch FROM vms WHERE id = $1', [vmId]);
      if (row === undefined || row.current_epoch < fromEpoch) return undefined;
      return JSON.parse(readFileSync(path.join(mesh.state.path, 'vms', vmId, 'workspace', `bootstrap-${row.current_epoch}.json`), 'utf8')) as Bootstrapped;
    },
    { what: `a runtime of ${vmId} from epoch ${fromEpoch}`, timeoutMs: 60_000 },
  );
}

/** The gateway's side of one socket: admits the runtime as the protocol says, beats for it, and reads its frames. */
export class FakeConnection {
  private beating: NodeJS.Timeout | undefined;

  private constructor(
    private readonly mesh: SchedulerMesh,
    readonly vmId: string,
    readonly epoch: number,
    readonly attached: ResponseOf<typeof attachVm>,
  ) {}

  static async open(mesh: SchedulerMesh, user: string, runtime: Bootstrapped, options: { reconnect?: boolean; beat?: boolean } = {}): Promise<FakeConnection> {
    if (options.reconnect !== true) await mesh.asGateway(redeemTicket, { ticket: runtime.ticket, userId: user, clientNonce: `nonce-${runtime.pid}` });
    const { vmId, epoch } = await mesh.asGateway(verifyVmToken, { token: runtime.token, userId: user });
    const attached = await mesh.asGateway(attachVm, { vmId, epoch, gateway: 'gw-test', protocol: 2 });
    const connection = new FakeConnection(mesh, vmId, epoch, attached);
    if (options.beat !== false) connection.beating = setInterval(() => void connection.beat().catch(() => undefined), 500); // a scheduler may be down just now
    return connection;
  }

  async beat(): Promise<ResponseOf<typeof beatVms>['vms'][number]> {
    const { vmId, epoch, attached } = this;
    const { vms } = await this.mesh.asGateway(beatVms, { gateway: 'gw-test', beats: [{ vmId, epoch, connGen: attached.connGen, activeSessions: [] }] });
    return vms[0] as ResponseOf<typeof beatVms>['vms'][number];
  }

  async frames(after = 0): Promise<ResponseOf<typeof readOutbox>['frames']> {
    const { vmId, epoch, attached } = this;
    return (await this.mesh.asGateway(readOutbox, { vmId, epoch, connGen: attached.connGen, after })).frames;
  }

  async ack(upTo: number): Promise<void> {
    await this.mesh.asGateway(ackOutbox, { vmId: this.vmId, epoch: this.epoch, upTo });
  }

  close(): void {
    clearInterval(this.beating);
  }
}
