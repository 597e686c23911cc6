/** One place where VMs can be started, as it was last heard of. */
export interface HostView {
  readonly id: string;
  readonly provider: string;
  /** `lost`: it has not been heard of for a while. */
  readonly state: 'up' | 'cordoned' | 'draining' | 'lost';
  /** VMs that fit; undefined: no limit. */
  readonly capacity: number | undefined;
  readonly cores: number;
  /** Share of its cores that is busy, 0 … 1. */
  readonly used: number;
  /** VMs that live there, started or paused. */
  readonly reserved: number;
  /** Starts that have not come to an end. */
  readonly starting: number;
  readonly isolation: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Workspaces do not belong to the host. */
  readonly portable: boolean;
}

export interface PlacementRequest {
  /** Name of the provider that the template wants. */
  readonly provider: string;
  readonly isolationMin: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Where the workspace is. */
  readonly home: string | undefined;
  /** Chosen before, without a start so far: kept while it suits, or replicas would pass the VM on for ever. Already among its `reserved`. */
  readonly chosen?: string | undefined;
  /** The last start was refused for want of room on the last of `excluded`: the same host is not asked again at once. */
  readonly lacksRoom?: boolean;
  /** The caller takes an empty workspace rather than none. */
  readonly allowEmptyWorkspace: boolean;
  readonly excluded: readonly string[];
  readonly strategy: 'spread' | 'pack';
}

export type PlacementResult =
  | { readonly kind: 'host'; readonly hostId: string }
  | {
      readonly kind: 'nowhere';
      readonly code: 'WORKSPACE_HOST_DOWN' | 'HOST_DRAINING' | 'HOST_UNSUITABLE' | 'NO_HOST' | 'NO_CAPACITY' | 'HOST_BUSY';
      readonly text: string;
    };

/** Starts in flight on one host at a time: a burst must not make all of them slow. */
export const MAX_STARTING = 3;
const SAMPLE = 3;

/**
 * Chooses a host. A workspace is where it is: while its host is up nothing else is looked at, and while it is down the VM waits, unless the caller
 * takes an empty one. `random` (0 ≤ n < 1) draws the sample, so that replicas do not all choose the same.
 */
export function place(request: PlacementRequest, hosts: readonly HostView[], random: () => number): PlacementResult {
  const result = find(request, hosts, random);
  const isFull = result.kind === 'host' && request.lacksRoom === true && request.excluded.includes(result.hostId);
  return isFull ? nowhere('NO_CAPACITY', 'Every host that suits its template is full.') : result;
}

function find(request: PlacementRequest, hosts: readonly HostView[], random: () => number): PlacementResult {
  const fitting = hosts.filter(
    (host) =>
      host.provider === request.provider &&
      host.isolation >= request.isolationMin &&
      Object.entries(request.labels).every(([name, value]) => host.labels[name] === value),
  );
  const home = hosts.find((host) => host.id === request.home && host.provider === request.provider);
  const sticky = request.home !== undefined && home?.portable !== true;
  const isSuitable = home !== undefined && fitting.includes(home);
  if (sticky && isSuitable && (home.state === 'up' || home.state === 'cordoned')) return bound(home);
  if (sticky && !request.allowEmptyWorkspace) {
    if (home?.state === 'draining') return nowhere('HOST_DRAINING', `Its workspace is on ${request.home}, which is being taken out of use.`);
    if (home !== undefined && home.state !== 'lost')
      return nowhere('HOST_UNSUITABLE', `Its workspace is on ${request.home}, which does not offer the isolation or the labels that its template wants.`);
    return nowhere('WORKSPACE_HOST_DOWN', `Its workspace is on ${request.home}, which is down; it is not started with an empty one.`);
  }
  const up = fitting.filter((host) => host.state === 'up');
  if (up.length === 0) {
    // Better one that has failed lately than none.
    const cordoned = fitting.filter((host) => host.state === 'cordoned');
    if (cordoned.length === 0) return nowhere('NO_HOST', `No host of the provider ${request.provider} is up and suits its template.`);
    return choose(request, cordoned, random);
  }
  const fresh = up.filter((host) => !request.excluded.includes(host.id));
  return choose(request, fresh.length > 0 ? fresh : up, random);
}

function bound(home: HostView): PlacementResult {
  return home.starting >= MAX_STARTING ? nowhere('HOST_BUSY', `Too many VMs are being started on ${home.id}.`) : { kind: 'host', hostId: home.id };
}

function choose(request: PlacementRequest, hosts: readonly HostView[], random: () => number): PlacementResult {
  const others = (host: HostView): number => host.reserved - (host.id === request.chosen ? 1 : 0);
  const roomy = hosts.filter((host) => host.capacity === undefined || others(host) < host.capacity);
  if (roomy.length === 0) return nowhere('NO_CAPACITY', 'Every host that suits its template is full.');
  const ready = roomy.filter((host) => host.starting < MAX_STARTING);
  if (ready.length === 0) return nowhere('HOST_BUSY', 'Too many VMs are being started on every host that suits its template.');
  const chosen = ready.find((host) => host.id === request.chosen);
  if (chosen !== undefined) return { kind: 'host', hostId: chosen.id };
  const sample = draw(ready, random);
  const direction = request.strategy === 'spread' ? 1 : -1;
  const best = sample.reduce((one, other) => (direction * load(other) < direction * load(one) ? other : one));
  return { kind: 'host', hostId: best.id };
}

function draw(hosts: readonly HostView[], random: () => number): HostView[] {
  const left = [...hosts];
  const sample: HostView[] = [];
  while (sample.length < SAMPLE && left.length > 0) sample.push(...left.splice(Math.floor(random() * left.length), 1));
  return sample;
}

/** The VM to be placed counts as one, like those that are there; what they really use counts half, because it changes. */
function load(host: HostView): number {
  return (1 + host.reserved + host.starting + 0.5 * host.used * host.cores) / (4 * host.cores);
}

function nowhere(code: Extract<PlacementResult, { kind: 'nowhere' }>['code'], text: string): PlacementResult {
  return { kind: 'nowhere', code, text };
}
