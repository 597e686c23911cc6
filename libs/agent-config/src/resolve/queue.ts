import type { QueueConfig, QueueMode } from '../schema/queue-config.js';
import type { TenantConfig } from '../schema/tenant-config.js';
import { findAgent } from './agents.js';

/** What happens to messages of a session that is busy. */
export interface ResolvedQueue {
  readonly mode: QueueMode;
  readonly debounceMs: number;
  readonly cap: number;
}

const DEFAULT_QUEUE: ResolvedQueue = Object.freeze({ mode: 'collect', debounceMs: 1_000, cap: 20 });

/**
 * The queue of an agent for messages of a channel. Per field the first that is set of: the agent's value for the channel, the agent's,
 * `messages.queue` for the channel, `messages.queue`, `agents.defaults.queue` for the channel, `agents.defaults.queue`, the default.
 */
export function resolveQueue(config: TenantConfig, of: { readonly channel?: string; readonly agentId?: string }): ResolvedQueue {
  const channel = of.channel?.trim().toLowerCase();
  const agent = of.agentId === undefined ? undefined : findAgent(config, of.agentId);
  const sources = [agent?.queue, config.messages?.queue, config.agents.defaults?.queue].flatMap((queue) => layersOf(queue, channel));
  const first = <K extends keyof ResolvedQueue>(field: K): ResolvedQueue[K] =>
    (sources.find((source) => source[field] !== undefined)?.[field] ?? DEFAULT_QUEUE[field]) as ResolvedQueue[K];
  return { mode: first('mode'), debounceMs: first('debounceMs'), cap: first('cap') };
}

function layersOf(queue: QueueConfig | undefined, channel: string | undefined): Partial<ResolvedQueue>[] {
  if (queue === undefined) return [];
  const own = channel !== undefined && queue.byChannel !== undefined && Object.hasOwn(queue.byChannel, channel) ? queue.byChannel[channel] : undefined;
  return (own === undefined ? [queue] : [own, queue]) as Partial<ResolvedQueue>[];
}
