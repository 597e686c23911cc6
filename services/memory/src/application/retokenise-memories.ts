import type { Clock } from '@plexus/kernel';
import { CURRENT_RULES, type LexRules } from '../domain/lex-rules.js';
import type { Lexicon } from './lexicon-ports.js';
import type { MemoryRetention } from './ports.js';

const BATCH = 64;

/** Gives memories that were written by earlier rules their terms of today, in the background; searches read both meanwhile. */
export class RetokeniseMemories {
  constructor(
    private readonly lexicon: Lexicon,
    private readonly retention: Pick<MemoryRetention, 'tenants'>,
    private readonly clock: Clock,
    private readonly rules: LexRules = CURRENT_RULES,
    /** Pause between two batches: reading goes first. */
    private readonly pauseMs = 20,
  ) {}

  /** One round over all tenants; returns how many memories have new terms. */
  async execute(signal: AbortSignal): Promise<number> {
    let made = 0;
    for (const tenant of await this.retention.tenants()) {
      while (!signal.aborted) {
        const old = await this.lexicon.old(tenant, this.rules.version, BATCH);
        if (old.length === 0) break;
        const entries = old.map(({ id, content }) => ({ id, terms: this.rules.documentTerms(content) }));
        made += await this.lexicon.replace(tenant, this.rules.version, entries);
        if (old.length < BATCH) break;
        await this.clock.sleep(this.pauseMs, signal).catch(() => undefined); // aborted: the loop's condition ends it
      }
    }
    return made;
  }
}
