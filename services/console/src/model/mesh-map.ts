import type { MeshReplica, MeshView } from '@plexus/contracts';

export type Health = 'ok' | 'warn' | 'bad';

export interface MapNode {
  readonly name: string;
  readonly health: Health;
  readonly ready: number;
  readonly replicas: number;
  /** Messages that wait for this service, over all its consumers. */
  readonly lag: number;
  readonly clients: number;
  readonly vms: number;
  /** Of its box: narrower where many stand side by side. */
  readonly width: number;
  /** Centre, in the units of the picture. */
  readonly x: number;
  readonly y: number;
}

export const MAP = { width: 920, height: 338, node: { width: 172, height: 76 }, bus: { x: 40, y: 154, width: 840, height: 30 } } as const;
/** Between two boxes, at least. */
const GAP = 14;
/** More than this waits: somebody should look. */
const LAGGING = 1_000;
/** Those that people and machines come in through stand above the bus. */
const EDGES = ['gateway', 'channels', 'channel'];
const KNOWN = ['gateway', 'routing', 'push', 'memory', 'scheduler'];

/** The services as places in a picture: edges above the bus, the others below, missing ones too. */
export function mapOf(report: MeshView): readonly MapNode[] {
  const missing = report.missing.filter((name) => !report.services.some((service) => service.name === name));
  const names = [...report.services.map(({ name }) => name), ...missing].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const above = names.filter(isEdge);
  const below = names.filter((name) => !isEdge(name));
  const place = (row: readonly string[], y: number) => {
    const slot = MAP.bus.width / row.length;
    const width = Math.round(Math.min(MAP.node.width, slot - GAP));
    return row.map((name, index) => ({ ...stateOf(name, report), width, x: Math.round(MAP.bus.x + slot * (index + 0.5)), y }));
  };
  return [...place(above, 58), ...place(below, 280)];
}

const rank = (name: string) => (KNOWN.includes(name) ? KNOWN.indexOf(name) : KNOWN.length);
const isEdge = (name: string) => EDGES.some((edge) => name === edge || name.startsWith(`${edge}-`));

function stateOf(name: string, report: MeshView): Omit<MapNode, 'x' | 'y' | 'width'> {
  const service = report.services.find((one) => one.name === name);
  const replicas = service?.replicas ?? [];
  const ready = replicas.filter(isReady).length;
  const lag = report.consumers.filter((consumer) => consumer.service === name).reduce((sum, { pending }) => sum + pending, 0);
  const vital = (key: string) => replicas.reduce((sum, { vitals }) => sum + (vitals[key] ?? 0), 0);
  const limping = ready < replicas.length || lag > LAGGING || replicas.some(({ degraded }) => degraded.length > 0);
  const health: Health = ready === 0 ? 'bad' : limping ? 'warn' : 'ok';
  return { name, health, ready, replicas: replicas.length, lag, clients: vital('clients'), vms: vital('vms') };
}

/** It answers and does not say that it is not ready. */
export const isReady = ({ ready, answers }: MeshReplica): boolean => answers && ready !== false;

/** The whole in one word. */
export function healthOf(report: MeshView): Health {
  const nodes = mapOf(report);
  if (!report.nats.connected || nodes.some(({ health }) => health === 'bad')) return 'bad';
  return nodes.some(({ health }) => health === 'warn') || report.problems.length > 0 ? 'warn' : 'ok';
}
