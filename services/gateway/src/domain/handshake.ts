import { ConnectParams, MINIMUM_PROBE_PROTOCOL_VERSION, PROTOCOL_VERSION } from '@plexus/client-protocol';
import { err, ok, type Result } from '@plexus/kernel';
import type { z } from 'zod';
import { REFUSALS, type Refusal } from './refusal.js';

/** Sentences like `at /client/id: expected string`, as the protocol words them. */
export function describeIssues(error: z.ZodError, limit = 3): string {
  return error.issues
    .slice(0, limit)
    .map((issue) => `at /${issue.path.map(String).join('/')}: ${issue.message}`)
    .join('; ');
}

/** Reads the parameters of a connect: shape, role and protocol version. Who it is comes afterwards. */
export function readConnect(params: unknown): Result<ConnectParams, Refusal> {
  const parsed = ConnectParams.safeParse(params ?? {});
  if (!parsed.success) return err(REFUSALS.invalidConnect(describeIssues(parsed.error)));
  const connect = parsed.data;
  if (!speaks(connect)) return err(REFUSALS.protocolMismatch(connect.minProtocol, connect.maxProtocol));
  if (connect.role !== undefined && connect.role !== 'operator' && connect.role !== 'node') return err(REFUSALS.invalidRole);
  return ok(connect);
}

function speaks({ minProtocol: min, maxProtocol: max, role, client }: ConnectParams): boolean {
  if (min <= PROTOCOL_VERSION && PROTOCOL_VERSION <= max) return true;
  const lenient = client.mode === 'probe' || (role === 'node' && client.mode === 'node');
  return lenient && min <= MINIMUM_PROBE_PROTOCOL_VERSION && MINIMUM_PROBE_PROTOCOL_VERSION <= max;
}

/** May a page of this origin open a socket here? Programs send no origin; pages of our own host and the configured ones may. */
export function originAllowed(origin: string | undefined, host: string | undefined, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  try {
    return host !== undefined && new URL(origin).host === host;
  } catch {
    // `null` of sandboxed pages and other values that are no URL.
    return false;
  }
}
