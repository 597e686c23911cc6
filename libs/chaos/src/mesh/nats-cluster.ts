import path from 'node:path';
import { freePort, type NatsServer, type NatsUser, startNatsServer } from '@plexus/local-stack';

export interface NatsClusterOptions {
  readonly dir: string;
  readonly users: readonly NatsUser[];
  readonly size: number;
  readonly onLog: (node: number, text: string) => void;
}

interface Node {
  readonly port: number;
  server: NatsServer | undefined;
}

/** Real nats-servers with routes to each other, each with a store of its own. Nodes are counted from 1. */
export class NatsCluster {
  private constructor(
    private readonly options: NatsClusterOptions,
    private readonly nodes: readonly Node[],
    private readonly routes: readonly number[],
  ) {}

  static async start(options: NatsClusterOptions): Promise<NatsCluster> {
    const nodes = await Promise.all(Array.from({ length: options.size }, async () => ({ port: await freePort(), server: undefined })));
    const routes = await Promise.all(nodes.map(() => freePort()));
    const cluster = new NatsCluster(options, nodes, routes);
    try {
      for (let node = 1; node <= options.size; node += 1) await cluster.startNode(node);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  get size(): number {
    return this.nodes.length;
  }

  get ports(): readonly number[] {
    return this.nodes.map(({ port }) => port);
  }

  /** Pid of each node that runs. */
  get pids(): readonly (number | undefined)[] {
    return this.nodes.map(({ server }) => server?.process.identity.pid);
  }

  signal(node: number, signal: NodeJS.Signals): void {
    this.node(node).server?.process.signal(signal);
  }

  /** Ends one node with `signal` and waits until it is gone; its store stays. */
  async kill(node: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { server } = this.node(node);
    server?.process.signal(signal);
    await server?.process.ended;
    this.node(node).server = undefined;
  }

  async startNode(node: number): Promise<void> {
    const { port } = this.node(node);
    const member = { serverName: `n${node}`, clusterName: 'plexus-chaos', port: this.routes[node - 1] as number, routes: this.routes };
    // One by itself is no cluster: it would wait for others to elect a leader with.
    const cluster = this.nodes.length > 1 ? { cluster: member } : {};
    const { users, dir, onLog } = this.options;
    this.node(node).server = await startNatsServer({ dir: path.join(dir, `n${node}`), port, users, ...cluster, onLog: (text) => onLog(node, text) });
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.nodes.map(async ({ server }) => {
        server?.process.signal('SIGCONT');
        await server?.stop();
      }),
    );
  }

  private node(node: number): Node {
    const found = this.nodes[node - 1];
    if (found === undefined) throw new RangeError(`there is no nats-server ${node}`);
    return found;
  }
}
