import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ThrowAwayFolder, throwAwayFolder } from '@plexus/testing';
import type { KubernetesProvider, KubernetesProviderParts } from '../../../src/adapters/kubernetes/kubernetes-provider.js';
import { openKubernetes } from '../../../src/adapters/kubernetes/open.js';
import { kubernetesSettings } from '../../../src/adapters/kubernetes/settings.js';
import type { Client } from '../../../src/adapters/kubernetes/connection.js';
import { fixture } from '../mesh.js';
import { StandInApiServer } from './api-server.js';
import { StandInKubelet } from './kubelet.js';
import { Refusal } from './object-store.js';

export { Refusal };

/** The client by Node itself: Jest would link its thousand files one by one, for minutes. */
export async function loadClient(): Promise<Client> {
  const { createRequire } = process.getBuiltinModule('node:module');
  return createRequire(import.meta.url)('@kubernetes/client-node') as Client;
}

/** Environment variables for a provider that uses the stand-in. */
export function settingsFor(kubeconfig: string, entry: string): Record<string, string> {
  return {
    KUBERNETES_KUBECONFIG: kubeconfig,
    KUBERNETES_IMAGE: 'registry.test/plexus-runtime:1',
    KUBERNETES_COMMAND: JSON.stringify([process.execPath, entry]),
    KUBERNETES_GATEWAY: '[{"namespace":"plexus","podLabels":{"app":"gateway"}}]',
    KUBERNETES_CONTROL_PLANE_WS: 'ws://127.0.0.1:1/ws/vm',
  };
}

/** The stand-in with one node, and providers that talk to it. */
export class KubernetesWorld {
  readonly log: { readonly message: string; readonly fields: object }[] = [];
  private readonly opened: KubernetesProvider[] = [];

  private constructor(
    readonly folder: ThrowAwayFolder,
    readonly server: StandInApiServer,
    readonly kubelet: StandInKubelet,
  ) {}

  static async start(): Promise<KubernetesWorld> {
    const folder = throwAwayFolder('kubernetes');
    const server = await StandInApiServer.start();
    const world = new KubernetesWorld(folder, server, new StandInKubelet(server, folder.path));
    writeFileSync(world.kubeconfig, server.kubeconfig, { mode: 0o600 });
    return world;
  }

  get kubeconfig(): string {
    return path.join(this.folder.path, 'kubeconfig.json');
  }

  async provider(
    settings: Record<string, string> = {},
    parts: Partial<KubernetesProviderParts> & { readonly cluster?: string } = {},
  ): Promise<KubernetesProvider> {
    const note = (fields: object, message: string): void => void this.log.push({ fields, message });
    const opened = await openKubernetes(
      kubernetesSettings.parse({ ...settingsFor(this.kubeconfig, fixture('contract-runtime.mjs')), ...settings }),
      { cluster: parts.cluster ?? 'test', controlPlaneUrl: 'ws://gateway/ws/vm', environment: {}, maxLifeMs: 3_600_000 },
      { load: loadClient, log: { info: note, warn: note }, ...(parts.clock && { clock: parts.clock }), ...(parts.timings && { timings: parts.timings }) },
    );
    this.opened.push(opened);
    return opened;
  }

  async stop(): Promise<void> {
    await Promise.all(this.opened.map((provider) => provider.close()));
    await this.kubelet.stop();
    await this.server.stop();
    this.folder.remove();
  }
}
