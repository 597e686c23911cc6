import type { ToolResult } from '../../application/ports.js';
import type { z } from 'zod';

/** A result that says what is wrong. */
export const problem = (content: string): ToolResult => ({ content, isError: true });

/** Reads the input of a call; what is wrong with it is said in words that the model can act on. */
export function readInput<S extends z.ZodType>(
  schema: S,
  input: unknown,
): { readonly ok: true; readonly value: z.output<S> } | { readonly ok: false; readonly result: ToolResult } {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return { ok: true, value: parsed.data };
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'input'}: ${message}`);
  return { ok: false, result: problem(`The input cannot be used. ${issues.join('; ')}`) };
}
