import type { Bucket } from '@plexus/bus';
import { BUCKETS, CHANNEL_ADAPTERS, type ChannelAdapter, NO_TENANT } from '@plexus/contracts';
import { parseJson } from '@plexus/kernel';
import { connectionOf, type NatsAccess } from './nats-access.js';

/** Name of the process of one adapter; also its NATS role. */
export type ChannelProcess = `channel-${ChannelAdapter}`;

export const CHANNEL_PROCESSES: readonly ChannelProcess[] = CHANNEL_ADAPTERS.map((adapter) => `channel-${adapter}` as const);

export interface ChannelProcessesOptions {
  readonly access: NatsAccess;
  /** Starts the process of an adapter and keeps it running; settles when it is ready. */
  readonly start: (name: ChannelProcess) => Promise<void>;
  readonly stop: (name: ChannelProcess) => Promise<void>;
  /** For people: what was started, and what could not be. */
  readonly note: (line: string) => void;
}

const RETRY_MS = 10_000;
const MAX_PARTS = 64;

/** The adapters for which the configuration of any tenant names an account that is not disabled. Reads documents of any shape. */
export function wantedChannels(documents: Iterable<unknown>): ReadonlySet<ChannelProcess> {
  const wanted = new Set<ChannelProcess>();
  for (const document of documents) {
    for (const adapter of CHANNEL_ADAPTERS) {
      const channel = member(member(document, 'channels'), adapter);
      if (member(channel, 'enabled') === false) continue;
      const accounts = Object.values((member(channel, 'accounts') ?? {}) as object);
      if (accounts.some((account) => member(account, 'enabled') !== false)) wanted.add(`channel-${adapter}`);
    }
  }
  return wanted;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

/** The document in an entry of PLEXUS_CONFIG: plain, in an envelope, or in parts. Undefined when it cannot be read. */
async function documentOf(value: Uint8Array, parts: Bucket): Promise<unknown> {
  const entry = parseJson(value);
  const stored = entry.ok ? (member(member(entry.value, '$plexus'), 'storedDocument') as { prefix?: unknown; parts?: unknown } | undefined) : undefined;
  if (!entry.ok) return undefined;
  if (stored === undefined) return Object.hasOwn(Object(entry.value), '$plexus') ? member(entry.value, 'document') : entry.value;
  const pieces: Uint8Array[] = [];
  for (let part = 0; part < Math.min(Number(stored.parts), MAX_PARTS); part += 1) {
    const piece = await parts.get(`${String(stored.prefix)}.${part}`);
    if (piece === undefined) return undefined;
    pieces.push(piece.value);
  }
  const document = parseJson(Buffer.concat(pieces));
  return document.ok ? document.value : undefined;
}

/**
 * Runs the process of a channel adapter exactly while the configuration names an account of it. A mesh without channels has no such process; an
 * adapter that does not start leaves the mesh as it is and is tried again.
 */
export class ChannelProcesses {
  private readonly documents = new Map<string, unknown>();
  private readonly running = new Set<ChannelProcess>();
  private work: Promise<void> = Promise.resolve();
  private retry: NodeJS.Timeout | undefined;
  private stopped = false;
  private close: () => Promise<void> = async () => {};

  private constructor(private readonly options: ChannelProcessesOptions) {}

  /** Settles when everything that the configuration names has been started, or has failed to. */
  static async follow(options: ChannelProcessesOptions): Promise<ChannelProcesses> {
    const { connectBus } = await import('@plexus/bus');
    const bus = await connectBus({
      service: 'launcher',
      ...connectionOf(options.access),
      connectTimeoutMs: 10_000,
      log: SILENT,
    });
    const processes = new ChannelProcesses(options);
    processes.close = () => bus.close();
    try {
      await processes.watch(await bus.kv(BUCKETS.config), await bus.kv(BUCKETS.configParts));
    } catch (error) {
      await bus.close();
      throw error;
    }
    await processes.work;
    return processes;
  }

  /** Starts nothing more. The processes themselves are stopped by whoever owns them. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.retry);
    await this.close();
    await this.work;
  }

  private async watch(entries: Bucket, parts: Bucket): Promise<void> {
    const watching = entries.watch('*', async (change) => {
      if (change.key === NO_TENANT) return;
      if (change.kind === 'delete') this.documents.delete(change.key);
      else {
        const document = await documentOf(change.entry.value, parts);
        // One that cannot be read leaves in force what was there, for the services as for us.
        if (document !== undefined) this.documents.set(change.key, document);
      }
      this.reconcile();
    });
    await watching.ready;
  }

  private reconcile(): void {
    this.work = this.work.then(() => this.bringAbout());
  }

  private async bringAbout(): Promise<void> {
    if (this.stopped) return;
    const wanted = wantedChannels(this.documents.values());
    const { options, running } = this;
    await Promise.all(
      CHANNEL_PROCESSES.map(async (name) => {
        try {
          if (wanted.has(name) && !running.has(name)) {
            running.add(name);
            await options.start(name);
            options.note(`${name} runs: the configuration names an account of it`);
          } else if (!wanted.has(name) && running.has(name)) {
            await options.stop(name);
            running.delete(name);
            options.note(`${name} was stopped: no account of it is left`);
          }
        } catch (error) {
          running.delete(name);
          if (this.stopped) return;
          options.note(`${name} could not be started: ${(error as Error).message.split('\n', 1)[0]}; tried again in ${RETRY_MS / 1_000} s`);
          clearTimeout(this.retry);
          this.retry = setTimeout(() => this.reconcile(), RETRY_MS);
        }
      }),
    );
  }
}

const nothing = (): void => {};
/** Everything that may go wrong here is told by other parts of the launcher. */
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };
