import type { z } from 'zod';

/** Cross-checks run even when entries are wrong in themselves, so that one pass finds everything: they must expect any shape. */
export const ALWAYS = { when: () => true };

/** The value of a field, whatever it is a field of. */
export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, field) ? (value as Record<string, unknown>)[field] : undefined;
}

/** Refuses a second entry with the same string in `field`. */
export function uniqueBy(field: string, code: string): (entries: unknown, context: z.core.$RefinementCtx) => void {
  return (entries, context) => {
    if (!Array.isArray(entries)) return;
    const first = new Map<string, number>();
    for (const [index, entry] of entries.entries()) {
      const value = fieldOf(entry, field);
      if (typeof value !== 'string') continue;
      const known = first.get(value);
      if (known === undefined) first.set(value, index);
      else context.addIssue({ code: 'custom', params: { code }, path: [index, field], message: `${JSON.stringify(value)} is already entry ${known}` });
    }
  };
}
