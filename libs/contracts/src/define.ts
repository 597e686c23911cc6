import { z } from 'zod';
import { buildSubject, SUBJECT_PREFIX, type SubjectKind } from './subject.js';

/** What every contract has, whatever its kind. */
export interface Contract<K extends SubjectKind = SubjectKind, D extends z.ZodType = z.ZodType> {
  readonly kind: K;
  readonly domain: string;
  readonly name: string;
  readonly version: number;
  /** Payload schema: strict when we publish, tolerant (unknown keys dropped) when we receive. */
  readonly data: D;
  /** One or two sentences for the reference page: guarantee, reason, who reads it. */
  readonly summary: string;
  /** At least one example; those of released versions must parse for ever. */
  readonly examples: readonly z.input<D>[];
  /** Names of the key tokens behind the version, for example `['sessionId']`. */
  readonly key: readonly string[];
  /** CloudEvents type: `dev.plexus.<domain>.<name>.v<N>`. */
  readonly type: string;
  /** The concrete subject for one tenant and key. */
  subject(tenant: string, ...key: string[]): string;
  /** Subscription pattern: one tenant, or `*` for all; every key. */
  pattern(tenant?: string): string;
}

export type EventContract<D extends z.ZodType = z.ZodType> = Contract<'evt', D>;
export type CommandContract<D extends z.ZodType = z.ZodType> = Contract<'cmd', D>;
export type LiveContract<D extends z.ZodType = z.ZodType> = Contract<'rt', D>;
/** An entry of a service's own ordered log. */
export type LogContract<D extends z.ZodType = z.ZodType> = Contract<'log', D>;
/** A foreign event that Plexus understands; the domain token is the publisher's source, so patterns leave it open. */
export type InboundContract<D extends z.ZodType = z.ZodType> = Contract<'in', D>;
export interface RpcContract<D extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> extends Contract<'rpc', D> {
  readonly response: R;
  /** Default time limit of one call. */
  readonly timeoutMs: number;
  /** May be repeated after a timeout without a second effect. */
  readonly idempotent: boolean;
  /** Error codes that callers should expect beside the general ones. */
  readonly errors: readonly string[];
}

/** Payload as a publisher writes it. */
export type InputOf<C extends Contract> = z.input<C['data']>;
/** Payload as a reader gets it. */
export type DataOf<C extends Contract> = z.output<C['data']>;
/** Answer as a caller gets it. */
export type ResponseOf<C extends RpcContract> = z.output<C['response']>;
/** Answer as a handler returns it. */
export type ReplyOf<C extends RpcContract> = z.input<C['response']>;

interface Definition<D extends z.ZodType> {
  readonly domain: string;
  readonly name: string;
  readonly version: number;
  readonly data: D;
  readonly summary: string;
  readonly examples: readonly z.input<D>[];
  readonly key?: readonly string[];
}

function contract<K extends SubjectKind, D extends z.ZodType>(kind: K, definition: Definition<D>): Contract<K, D> {
  const { domain, name, version } = definition;
  const key = definition.key ?? [];
  return {
    kind,
    domain,
    name,
    version,
    data: definition.data,
    summary: definition.summary,
    examples: definition.examples,
    key,
    type: `dev.plexus.${domain}.${name}.v${version}`,
    subject: (tenant, ...keyTokens) => {
      if (keyTokens.length !== key.length) {
        throw new TypeError(`${domain}.${name}.v${version} takes ${key.length} key token(s) (${key.join(', ') || 'none'}), got ${keyTokens.length}`);
      }
      return buildSubject({ kind, tenant, domain, name, version, key: keyTokens });
    },
    pattern: (tenant = '*') => [SUBJECT_PREFIX, kind, tenant, domain, name, `v${version}`, ...(key.length > 0 ? ['>'] : [])].join('.'),
  };
}

/** Declares a fact that Plexus states (past tense). Stored, at least once, many readers. */
export function defineEvent<D extends z.ZodType>(definition: Definition<D> & { readonly key: readonly [string, ...string[]] }): EventContract<D> {
  return contract('evt', definition);
}

/** Declares work for exactly one worker (imperative). Work queue, at least once, one reader. */
export function defineCommand<D extends z.ZodType>(definition: Definition<D> & { readonly key: readonly [string, ...string[]] }): CommandContract<D> {
  return contract('cmd', definition);
}

/** Declares an entry of a service's own ordered log: stored, read in order by its owner only. */
export function defineLog<D extends z.ZodType>(definition: Definition<D> & { readonly key: readonly [string, ...string[]] }): LogContract<D> {
  return contract('log', definition);
}

/** Declares an ephemeral frame. Core NATS, at most once, never needed for correctness. */
export function defineLive<D extends z.ZodType>(definition: Definition<D> & { readonly key: readonly [string, ...string[]] }): LiveContract<D> {
  return contract('rt', definition);
}

/** Declares a foreign event that Plexus understands. `domain` documents the usual source; the pattern accepts every source. */
export function defineInbound<D extends z.ZodType>(definition: Definition<D> & { readonly key: readonly [string, ...string[]] }): InboundContract<D> {
  const base = contract('in', definition);
  return { ...base, pattern: (tenant = '*') => `${SUBJECT_PREFIX}.in.${tenant}.*.${definition.name}.v${definition.version}.>` };
}

/** Declares a question with an immediate answer. At most once, with a time limit. */
export function defineRpc<D extends z.ZodType, R extends z.ZodType>(
  definition: Definition<D> & { readonly response: R; readonly timeoutMs?: number; readonly idempotent?: boolean; readonly errors?: readonly string[] },
): RpcContract<D, R> {
  return {
    ...contract('rpc', definition),
    response: definition.response,
    timeoutMs: definition.timeoutMs ?? 5_000,
    idempotent: definition.idempotent ?? false,
    errors: definition.errors ?? [],
  };
}
