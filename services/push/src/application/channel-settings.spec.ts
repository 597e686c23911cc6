import { ChannelBudget, type Permit } from '../domain/delivery/channel-budget.js';
import { shareOf } from './channel-settings.js';

const limits = { perMinute: 600, concurrent: 8, timeoutMs: 10_000, maxAttempts: 12 };

it.each([1, 2, 3, 8])('%i replicas together send what the tenant allows, and no more', (replicas) => {
  const budgets = Array.from({ length: replicas }, () => new ChannelBudget());
  let sent = 0;
  let most = 0;
  for (let now = 0; now <= 600_000; now += 100) {
    const permits = budgets.flatMap((budget) => {
      const taken: Permit[] = [];
      for (;;) {
        const permit = budget.take('acme|webhook', shareOf(limits, replicas), now);
        if (!permit.ok) return taken;
        taken.push(permit);
      }
    });
    most = Math.max(most, permits.length);
    sent += permits.length;
    for (const permit of permits) if (permit.ok) permit.release();
  }
  // Ten minutes, and ten seconds' worth that may be spent at once.
  expect(sent).toBeLessThanOrEqual(6_000 + 100);
  expect(sent).toBeGreaterThan(5_900);
  expect(most).toBeLessThanOrEqual(limits.concurrent);
});
