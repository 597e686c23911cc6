import type { Tx } from '@plexus/database';
import { afterFailure, askBreaker, type Breaker, CLOSED } from '../../domain/breaker.js';

interface BreakerRow {
  readonly failures: Breaker['failures'];
  readonly open_until: Date | null;
  readonly probe_until: Date | null;
  readonly now: Date;
}

const KEY = 'provider = $1 AND template_hash = $2';
const date = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms));

async function lock(tx: Tx, provider: string, templateHash: string): Promise<{ readonly breaker: Breaker; readonly now: number } | undefined> {
  const [row] = await tx.query<BreakerRow>(
    'breaker_lock',
    `SELECT failures, open_until, probe_until, clock_timestamp() AS now FROM provider_breakers WHERE ${KEY} FOR UPDATE`,
    [provider, templateHash],
  );
  if (row === undefined) return undefined;
  const breaker = { failures: row.failures, openUntil: row.open_until?.getTime(), probeUntil: row.probe_until?.getTime() };
  return { breaker, now: row.now.getTime() };
}

async function write(tx: Tx, provider: string, templateHash: string, breaker: Breaker): Promise<void> {
  await tx.query('breaker_write', `UPDATE provider_breakers SET failures = $3, open_until = $4, probe_until = $5 WHERE ${KEY}`, [
    provider,
    templateHash,
    JSON.stringify(breaker.failures),
    date(breaker.openUntil),
    date(breaker.probeUntil),
  ]);
}

/** Notes a start that failed. */
export async function noteFailure(tx: Tx, provider: string, templateHash: string, owner: string): Promise<void> {
  await tx.query('breaker_make', 'INSERT INTO provider_breakers (provider, template_hash) VALUES ($1, $2) ON CONFLICT DO NOTHING', [provider, templateHash]);
  const found = (await lock(tx, provider, templateHash)) ?? { breaker: CLOSED, now: 0 };
  await write(tx, provider, templateHash, afterFailure(found.breaker, owner, found.now));
}

/** A start that succeeded closes it. */
export async function noteSuccess(tx: Tx, provider: string, templateHash: string): Promise<void> {
  await tx.query('breaker_close', `DELETE FROM provider_breakers WHERE ${KEY}`, [provider, templateHash]);
}

/** Asks for one start; undefined: go ahead. */
export async function askToStart(tx: Tx, provider: string, templateHash: string): Promise<{ readonly retryAfterMs: number } | undefined> {
  const found = await lock(tx, provider, templateHash);
  if (found === undefined) return undefined;
  const answer = askBreaker(found.breaker, found.now);
  if (!answer.allowed) return { retryAfterMs: answer.retryAfterMs };
  if (answer.breaker !== found.breaker) await write(tx, provider, templateHash, answer.breaker);
  return undefined;
}
