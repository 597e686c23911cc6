import type { Logger } from '@plexus/service-kit';
import { LogLevel } from '@slack/web-api';

/** Slack's clients log by themselves, warnings and all; here their lines are details, because every failure also reaches us as an error. */
export function quietLogger(log: Logger) {
  const write = (...parts: unknown[]): void => log.debug({ part: 'slack-sdk' }, parts.map(String).join(' ').slice(0, 500));
  return { debug: () => {}, info: () => {}, warn: write, error: write, setLevel: () => {}, getLevel: () => LogLevel.WARN, setName: () => {} };
}
