const SCHEDULE_MS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000] as const;
const JITTER = 0.2;

/** Failed attempts in a row after which somebody should be told; trying goes on. */
export const RECONNECT_ALERT_AFTER = 10;

/** Wait before reconnect number `attempt` (0 for the first): 1, 2, 4, 8, 16, 30, 30, … s with ± 20 %. */
export function reconnectDelayMs(attempt: number, random: () => number = Math.random): number {
  const step = SCHEDULE_MS[Math.min(Math.max(0, attempt), SCHEDULE_MS.length - 1)] as number;
  return Math.round(step * (1 - JITTER + 2 * JITTER * random()));
}
