import type { Bootstrap, IncarnationKey, VmProvider } from '../../src/application/provider-port.js';

/** What a provider under test can be asked for beyond the common rules. */
export interface ContractTraits {
  /** A runtime really runs, gets its secrets, and can be ended from outside; the provider knows how it ended. */
  readonly runs: boolean;
  /** A workspace outlives incarnations. */
  readonly workspace: boolean;
}

/** The surroundings of a provider under test, with the truth about what runs: never learned from the provider itself. */
export interface ContractWorld {
  readonly provider: VmProvider;
  /** A provider as another process would open it: same cluster, same place, remembers nothing. */
  another(): Promise<VmProvider>;
  /** One of another cluster in the same place. */
  otherCluster(): Promise<VmProvider>;
  /** How many instances of this incarnation really run. */
  running(key: IncarnationKey): Promise<number>;
  /** What the runtime got handed over; undefined: nothing yet. Trait `runs`. */
  received(key: IncarnationKey): Promise<Partial<Bootstrap> | undefined>;
  /** Kills it from outside, as the kernel would. Trait `runs`. */
  crash(key: IncarnationKey): Promise<void>;
  /** Everything that others can read about it while it runs: command lines, environments, specs, labels. Trait `runs`. */
  exposed(key: IncarnationKey): Promise<string>;
  /** A file in the workspace. Trait `workspace`. */
  write(vmId: string, name: string, text: string): Promise<void>;
  /** Undefined: there is none. Trait `workspace`. */
  read(vmId: string, name: string): Promise<string | undefined>;
  /** Ends everything; fails when something is left running. */
  stop(): Promise<void>;
}
