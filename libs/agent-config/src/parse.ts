import { err, ok, type Result } from '@plexus/kernel';
import type { z } from 'zod';
import { type ConfigIssue, issuesOf } from './issue.js';
import { PlatformConfig } from './schema/platform-config.js';
import { TenantConfig } from './schema/tenant-config.js';

/** Checks the platform document and fills its defaults. Takes parsed JSON; returns the frozen document, or every violation at once. Never throws. */
export function parsePlatformConfig(document: unknown): Result<PlatformConfig, ConfigIssue[]> {
  return parse(PlatformConfig, document);
}

/** Checks the document of one tenant and fills its defaults. Takes parsed JSON; returns the frozen document, or every violation at once. Never throws. */
export function parseTenantConfig(document: unknown): Result<TenantConfig, ConfigIssue[]> {
  return parse(TenantConfig, document);
}

function parse<S extends z.ZodType>(schema: S, document: unknown): Result<z.output<S>, ConfigIssue[]> {
  const parsed = schema.safeParse(document);
  return parsed.success ? ok(deepFreeze(parsed.data)) : err(issuesOf(parsed.error));
}

/** Documents are shared by every part of a process; one that changes its copy would change everybody's. */
export function deepFreeze<T>(document: T): T {
  const pending: unknown[] = [document];
  for (let value = pending.pop(); value !== undefined || pending.length > 0; value = pending.pop()) {
    if (typeof value !== 'object' || value === null || Object.isFrozen(value)) continue;
    pending.push(...Object.values(value));
    Object.freeze(value);
  }
  return document;
}
