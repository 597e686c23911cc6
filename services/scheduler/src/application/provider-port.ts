import type { Observation } from '../domain/vm.js';
import type { Bootstrap, CreateSpec, IncarnationKey, Provider, ProviderRef } from './ports.js';

export type { Bootstrap, IncarnationKey, Observation, ProviderRef };

export const PROVIDER_KINDS = ['local', 'external', 'docker', 'kubernetes', 'fake'] as const;
export type ProviderKind = (typeof PROVIDER_KINDS)[number];

/** From nothing to a machine of its own; a template may ask for at least one of them. `none` is never called a sandbox. */
export const ISOLATION_LEVELS = ['none', 'namespace', 'container', 'microvm'] as const;
export type Isolation = (typeof ISOLATION_LEVELS)[number];

/** True when `offered` keeps VMs apart at least as well as `wanted` asks for. */
export function isolates(offered: Isolation, wanted: Isolation): boolean {
  return ISOLATION_LEVELS.indexOf(offered) >= ISOLATION_LEVELS.indexOf(wanted);
}

/** What a provider promises; placement, policies and people read it. Nothing here may be hoped for: it is what was checked. */
export interface ProviderCapabilities {
  readonly isolation: Isolation;
  /** `stop-keep-workspace`: pausing is `destroy`, the workspace stays until `removeWorkspace`. `none`: the provider has no workspace to keep. */
  readonly pause: 'stop-keep-workspace' | 'none';
  /** VMs outlive the scheduler process and are recognised by its successor. */
  readonly survivesSchedulerRestart: boolean;
  /** An observation or destroy that says `absent` or `exited` means: nothing of it runs. False: only that nothing it says is accepted any more. */
  readonly confirmsExit: boolean;
  /** Changes are noticed without polling `observe`. */
  readonly watch: boolean;
  readonly logs: boolean;
  readonly networkPolicy: boolean;
  /** CPU, memory or process limits of a template are enforced. */
  readonly resourceLimits: boolean;
  /** The command of an incarnation may be chosen by a template (`image`, `command`). */
  readonly images: boolean;
}

/** How long the states before `ready` and `stopping` may last with this provider, in milliseconds. */
export interface ProviderDeadlines {
  readonly provisionMs: number;
  readonly bootMs: number;
  readonly stopMs: number;
}

/** What a template says about an incarnation. Absent fields: the settings of the provider. A field that the provider cannot honour is refused with `INVALID_SPEC`, never ignored, unless it only limits (`resources`): then `capabilities.resourceLimits` says so. */
export interface InstanceTemplate {
  /** Container image; only where `capabilities.images`. */
  readonly image?: string;
  /** Replaces the command of the image; secrets still come on stdin or as a file. */
  readonly command?: readonly string[];
  readonly resources?: {
    /** Thousandths of a core. */
    readonly cpuMillis?: number;
    readonly memoryMib?: number;
    /** Processes and threads. */
    readonly maxProcesses?: number;
  };
  /** `mesh`: gateway and name service only; `internet`: also public addresses. */
  readonly network?: 'mesh' | 'internet';
  /** Further variables, never secrets. Names that the scheduler sets itself are refused. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Longest life of one incarnation; a provider with a back-stop of its own enforces it some minutes later. */
  readonly maxLifeMs?: number;
  /** Hash of the template, for labels. */
  readonly hash?: string;
}

/** What is to be started: one incarnation of one VM. */
export interface InstanceSpec extends CreateSpec {
  /** For labels; never a folder or a name by itself. */
  readonly tenant?: string;
  readonly template?: InstanceTemplate;
}

/** What the provider says about one incarnation, see {@link Observation}. */
export interface ProviderObservation extends Observation {
  /** Identity of exactly this instance (pid + start time + boot, container id, Pod UID …). Present while one exists. */
  readonly ref?: ProviderRef;
  /** Stable code for the reason, beside its `text`: `IMAGE`, `UNSCHEDULABLE`, `OOM`, `NODE_LOST`, … */
  readonly reasonCode?: string;
}

/** One thing that the provider has under the label of this cluster, also half-created and forgotten ones. */
export interface ListedInstance extends IncarnationKey {
  /** Name at the provider: deterministic, collision-free. */
  readonly name: string;
  readonly ageMs: number;
  readonly ref?: ProviderRef;
}

/** A workspace, whether or not its VM still has a row. */
export interface ListedWorkspace {
  readonly vmId: string;
  /** Since its VM last ran or was created, as far as the provider can tell. */
  readonly idleMs: number;
}

export interface DestroyOptions {
  /** True: at once. False: politely first, for `graceMs`. */
  readonly force: boolean;
  readonly graceMs?: number;
  /**
   * Only exactly this instance: with another identity under the same key nothing is touched and the call rejects with
   * `IDENTITY_MISMATCH`. The orphan sweep always passes it.
   */
  readonly ref?: ProviderRef;
}

export type ProviderErrorCode =
  /** The provider does not answer, or asks to come back later (`retryAfterMs`). */
  | 'UNAVAILABLE'
  /** It has no room: another host may. The attempt does not count. */
  | 'CAPACITY'
  /** A quota at the provider forbids it. */
  | 'QUOTA'
  /** It can never work as asked: no retry helps. */
  | 'INVALID_SPEC'
  /** What is there is not what was named. Nothing was touched. */
  | 'IDENTITY_MISMATCH'
  /** It was tried and failed. */
  | 'START_FAILED';

/** Why a provider call rejected. Its message is for people and holds no secret. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';

  constructor(
    readonly code: ProviderErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryAfterMs = options.retryAfterMs;
  }

  readonly retryAfterMs: number | undefined;

  /** No retry can help: the VM fails at once. */
  get permanent(): boolean {
    return this.code === 'INVALID_SPEC';
  }
}

/**
 * A place where VMs run. Rules for every provider, checked by one suite (`test/provider-contract`):
 *
 * - Every call is idempotent, names one epoch, and never touches another epoch of the same VM.
 * - `create` twice, also at the same time, gives one instance. What a cancelled or crashed create left behind is seen by `list`.
 * - `destroy` twice is fine; after it `observe` says `absent` or `exited`.
 * - An end that the provider can know is in the observation: exit code or signal, and the last words of the log.
 * - Secrets (`bootstrap`) are never in a command line, an environment, a label, a log or an error.
 * - A call that cannot know says `unknown`; it never guesses `absent`.
 * - Every call ends within its own time limit, shorter than a claim (10 s), except `destroy`, which takes `graceMs` longer.
 */
export interface VmProvider extends Provider {
  /** Name in settings and rows. */
  readonly name: string;
  readonly kind: ProviderKind;
  /** Where it acts: replicas that have the same host id may act on the same instances. One per machine for `local`, one per cluster elsewhere. */
  readonly hostId: string;
  readonly capabilities: ProviderCapabilities;
  readonly deadlines: ProviderDeadlines;

  /**
   * Starts the incarnation unless it runs already. A newer one on record, or secrets that are refused (`bootstrap` gives undefined): `unknown`, and
   * nothing is started. Rejects with {@link ProviderError} when it cannot be started.
   */
  create(spec: InstanceSpec): Promise<ProviderObservation>;
  observe(key: IncarnationKey): Promise<ProviderObservation>;
  /** Ends it, with everything it started, and says what is left: `absent` or `exited` when nothing is, `unknown` when that could not be confirmed in time. */
  destroy(key: IncarnationKey, options: DestroyOptions): Promise<ProviderObservation>;
  /** Everything under the label of this cluster. Rejects rather than answer in part. */
  list(): Promise<readonly ListedInstance[]>;
  /**
   * Calls back when one of `keys` should be observed again: at the latest when it no longer runs, and then repeatedly until it is destroyed or
   * forgotten. Replaces what was watched before; no keys: the watch ends. Survives whatever happens to the connection below it.
   */
  watch(keys: readonly IncarnationKey[], onChange: (key: IncarnationKey) => void): void;
  /** The last bytes of what the newest incarnation said, at most `tailBytes`; undefined when nothing is kept. */
  logs(vmId: string, options: { readonly tailBytes: number }): Promise<string | undefined>;
  /** Workspaces of this cluster, for the retention sweep. Empty where the provider keeps none. */
  workspaces(): Promise<readonly ListedWorkspace[]>;
  /** Removes workspace, logs and records of a VM. Rejects with `IDENTITY_MISMATCH` while anything of it runs. A second time: fine. */
  removeWorkspace(vmId: string): Promise<void>;
  /** The highest epoch on any label or record: a database that was restored from an old backup must go on above it. 0: none. */
  highestEpoch(): Promise<number>;
  /** Ends watches and connections of this process; VMs go on. */
  close(): Promise<void>;
}

/** The providers that are enabled here. A template names its own; without a name the first in `PROVIDER` is meant. */
export class ProviderRegistry {
  private readonly byName: ReadonlyMap<string, VmProvider>;

  constructor(readonly all: readonly [VmProvider, ...VmProvider[]]) {
    this.byName = new Map(all.map((provider) => [provider.name, provider]));
    if (this.byName.size !== all.length) throw new TypeError(`two providers have the same name: ${all.map(({ name }) => name).join(', ')}`);
  }

  get default(): VmProvider {
    return this.all[0];
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  /** Rejects an unknown name with `INVALID_SPEC`, and says which there are. */
  get(name: string | undefined): VmProvider {
    if (name === undefined) return this.default;
    const provider = this.byName.get(name);
    if (provider === undefined)
      throw new ProviderError('INVALID_SPEC', `no provider ${JSON.stringify(name)} is enabled; there is ${[...this.byName.keys()].join(', ')}`);
    return provider;
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((provider) => provider.close()));
  }
}
