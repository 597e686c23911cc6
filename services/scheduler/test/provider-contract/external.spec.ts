import { ExternalProvider, type ExternalIncarnations } from '../../src/adapters/external/external-provider.js';
import type { IncarnationKey } from '../../src/application/provider-port.js';
import { describeProviderContract } from './provider-contract.js';

/** The rows of a scheduler, as far as the external provider looks at them. */
class Rows implements ExternalIncarnations {
  readonly admitted = new Map<string, IncarnationKey>();
  readonly revoked: string[] = [];
  private readonly newest = new Map<string, number>();

  async open(key: IncarnationKey): Promise<boolean> {
    if ((this.newest.get(key.vmId) ?? 0) > key.epoch) return false;
    this.newest.set(key.vmId, key.epoch);
    this.admitted.set(`${key.vmId}/${key.epoch}`, { vmId: key.vmId, epoch: key.epoch });
    return true;
  }

  async isAdmitted({ vmId, epoch }: IncarnationKey): Promise<boolean> {
    return this.admitted.has(`${vmId}/${epoch}`);
  }

  /** The reconciler has committed its intent to end it before it asks the provider. */
  async revoke({ vmId, epoch }: IncarnationKey): Promise<void> {
    this.revoked.push(`${vmId}/${epoch}`);
    this.admitted.delete(`${vmId}/${epoch}`);
  }

  async nextEpoch(): Promise<number> {
    return 8;
  }

  async list(): Promise<readonly (IncarnationKey & { readonly ageMs: number })[]> {
    return [...this.admitted.values()].map((key) => ({ ...key, ageMs: 0 }));
  }

  async highestEpoch(): Promise<number> {
    return 0;
  }
}

const fenced = new Map<string, number>();
const epochs = { raise: async (vmId: string, epoch: number) => void fenced.set(vmId, epoch) };

describeProviderContract('runtimes of somebody else', { runs: false, workspace: false }, async () => {
  const rows = new Rows();
  const open = async (incarnations: ExternalIncarnations = rows): Promise<ExternalProvider> =>
    new ExternalProvider({ incarnations, epochs, attachMs: 600_000 });
  const notRunHere = (): never => {
    throw new TypeError('an external runtime is not run here');
  };
  return {
    provider: await open(),
    another: () => open(),
    otherCluster: () => open(new Rows()),
    running: async (key) => ((await rows.isAdmitted(key)) ? 1 : 0),
    received: notRunHere,
    crash: notRunHere,
    exposed: notRunHere,
    write: notRunHere,
    read: notRunHere,
    stop: async () => expect(rows.admitted.size).toBe(0),
  };
});

describe('the external provider', () => {
  const key = { vmId: 'vm-1', epoch: 7 };

  it('fences what it destroys: its tickets are worthless and gateways refuse its epoch', async () => {
    const rows = new Rows();
    const provider = new ExternalProvider({ incarnations: rows, epochs, attachMs: 1 });
    await provider.create({ ...key, userId: 'me', bootstrap: () => Promise.reject(new Error('nobody asked for secrets')) });
    expect(await provider.destroy(key, { force: false })).toEqual({ phase: 'absent' });
    expect(rows.revoked).toEqual(['vm-1/7']);
    expect(fenced.get('vm-1')).toBe(8);
  });

  it('does not claim that something is gone while its row still admits it', async () => {
    const rows = new Rows();
    const provider = new ExternalProvider({ incarnations: Object.assign(rows, { revoke: async () => undefined }), epochs, attachMs: 1 });
    await provider.create({ ...key, userId: 'me', bootstrap: async () => undefined });
    fenced.clear();
    expect(await provider.destroy(key, { force: true })).toMatchObject({ phase: 'unknown' });
    expect(fenced.size).toBe(0);
  });
});
