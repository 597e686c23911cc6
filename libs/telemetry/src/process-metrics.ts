import { monitorEventLoopDelay } from 'node:perf_hooks';
import { observe } from './instruments.js';

/** Interval in which the delay of the event loop is sampled; the histogram contains it, so it is taken off again. */
const RESOLUTION_MS = 50;

/** Registers the metrics that every process has. Returns how to stop them. */
export function observeProcess(): () => void {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  lag.enable();
  const seconds = (nanoseconds: number) => (Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3) : 0);
  const startedAt = (Date.now() - process.uptime() * 1_000) / 1_000;

  const stops = [
    observe('processResidentMemory', (report) => report(process.memoryUsage.rss())),
    observe('processHeapUsed', (report) => report(process.memoryUsage().heapUsed)),
    observe('processHeapTotal', (report) => report(process.memoryUsage().heapTotal)),
    observe('processExternalMemory', (report) => report(process.memoryUsage().external)),
    observe('processStart', (report) => report(startedAt)),
    observe('processCpu', (report) => {
      const { user, system } = process.cpuUsage();
      report(user / 1e6, { mode: 'user' });
      report(system / 1e6, { mode: 'system' });
    }),
    observe('eventLoopLag', (report) => {
      report(seconds(lag.percentile(50)), { quantile: '0.5' });
      report(seconds(lag.percentile(99)), { quantile: '0.99' });
      report(seconds(lag.max), { quantile: 'max' });
      lag.reset();
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    lag.disable();
  };
}
