import type { z } from 'zod';

export const SCOPE = {
  read: 'operator.read',
  write: 'operator.write',
  admin: 'operator.admin',
  pairing: 'operator.pairing',
  approvals: 'operator.approvals',
  questions: 'operator.questions',
} as const;

/** Declares one method. `scope: undefined` means that every authenticated operator may call it. */
export function method<P extends z.ZodType>(scope: string | undefined, params: P) {
  return { scope, params, role: 'operator' as const };
}

/** Declares a method of nodes: devices that lend their abilities. Operators may not call it, and nodes may call nothing else. */
export function nodeMethod<P extends z.ZodType>(params: P) {
  return { scope: undefined, params, role: 'node' as const };
}
