import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from './exit-code.js';

/** As whom a command speaks. */
export interface As {
  readonly tenant: string;
  readonly user: string;
}

export const as = (command: Command): Command => command.option('--tenant <tenant>', 'the tenant', 'default').option('--user <user>', 'whose word it is', 'me');

const KINDS = ['case', 'entity', 'region', 'topic', 'type', 'all'] as const;
export type ScopeKind = (typeof KINDS)[number];

/** Reads `all` or `<kind>:<ref>`. */
export function scopeOf(text: string): { scopeKind: ScopeKind; scopeRef: string } {
  if (text === 'all') return { scopeKind: 'all', scopeRef: '' };
  const at = text.indexOf(':');
  const kind = KINDS.find((one) => one === text.slice(0, at));
  if (kind === undefined || kind === 'all' || at === text.length - 1) {
    throw new CommandFailure(
      `${JSON.stringify(text)} is no scope; write all, or kind:name with ${KINDS.slice(0, -1).join(', ')}.`,
      EXIT.usage,
      undefined,
      'INVALID_SCOPE',
    );
  }
  return { scopeKind: kind, scopeRef: text.slice(at + 1) };
}

/** Reads a scope that access is granted to. */
export function grantScopeOf(text: string): { scopeKind: 'case' | 'topic'; scopeRef: string } {
  const { scopeKind, scopeRef } = scopeOf(text);
  if (scopeKind === 'case' || scopeKind === 'topic') return { scopeKind, scopeRef };
  throw new CommandFailure('Access is granted to cases and topics: case:name or topic:name.', EXIT.usage, undefined, 'INVALID_SCOPE');
}

const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/** Seconds of `90s`, `30m`, `2h`, `7d`, `2w`. */
export function secondsOf(text: string): number {
  const [, number, unit] = /^([1-9][0-9]{0,6})([smhdw])$/.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) return Number(number) * UNITS[unit as keyof typeof UNITS];
  throw new CommandFailure(`${JSON.stringify(text)} is no length of time; write 90s, 30m, 2h, 7d or 2w.`, EXIT.usage, undefined, 'INVALID_TIME');
}

/** An instant in UTC: as it was written, or so long from now. */
export function instantOf(text: string, now = Date.now()): string {
  if (/^[1-9][0-9]*[smhdw]$/.test(text)) return new Date(now + secondsOf(text) * 1_000).toISOString();
  const at = Date.parse(text);
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(at)) return new Date(at).toISOString();
  throw new CommandFailure(
    `${JSON.stringify(text)} is no instant; write 2026-11-22T08:00:00Z, or how long from now: 2h.`,
    EXIT.usage,
    undefined,
    'INVALID_TIME',
  );
}

/** JSON as it was written, or that of a file: `@file`. */
export function jsonOf(text: string): Record<string, unknown> {
  const source = text.startsWith('@') ? read(text.slice(1)) : text;
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new CommandFailure(`${text} is not JSON: ${(cause as Error).message}`, EXIT.usage, undefined, 'INVALID_JSON');
  }
  throw new CommandFailure(`${text} is no JSON object.`, EXIT.usage, undefined, 'INVALID_JSON');
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CommandFailure(`${file} cannot be read: ${(cause as Error).message}`, EXIT.usage, undefined, 'UNREADABLE');
  }
}

/** Without the keys that nothing was said about. */
export function given<T extends Record<string, unknown>>(values: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
