// Loaded into a measured process (`--import`, with `--expose-gc`): collects garbage when it is asked to and says what is left.
import { getHeapStatistics } from 'node:v8';

export interface MemoryAnswer {
  readonly memory: { readonly heap: number; readonly external: number; readonly rss: number; readonly cpuMs: number; readonly contexts: number };
}

process.on('message', (message: { readonly measure?: true }) => {
  if (message.measure !== true) return;
  for (let times = 0; times < 3; times += 1) (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  process.send?.({ memory: { heap: heapUsed, external, rss, cpuMs: (user + system) / 1_000, contexts: getHeapStatistics().number_of_native_contexts } });
});
