import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { PushPolicy } from '@plexus/contracts';
import { err, ok, type Result, stableStringify } from '@plexus/kernel';
import type * as Yaml from 'yaml';

/** Where a policy as somebody wrote it is wrong. */
export interface PolicyIssue {
  /** Path inside the policy; empty: the text as a whole. */
  readonly path: string;
  readonly message: string;
}

/** A policy with every default filled in, and what identifies what it says. */
export interface ReadPolicy {
  readonly text: string;
  readonly body: PushPolicy;
  /** SHA-256 of what decides: neither the tests nor the way it is written change it. */
  readonly digest: string;
}

/** Loaded with the first policy that somebody writes: it takes 13 MiB, and most replicas read none for days. */
const yaml = (): typeof Yaml => createRequire(import.meta.url)('yaml');

const MAX_ISSUES = 20;
/** So that a few aliases of YAML cannot grow into gigabytes. */
const MAX_ALIASES = 100;
const MAX_BYTES = 512 * 1024;

/** Reads a policy from YAML or JSON text, or from an object. Every issue says where. Never throws. */
export function readPolicy(written: { readonly text: string } | { readonly body: unknown }): Result<ReadPolicy, PolicyIssue[]> {
  if ('body' in written) return readBody(written.body, yaml().stringify(written.body, { aliasDuplicateObjects: false }));
  const document = parseText(written.text);
  return document.ok ? readBody(document.value, written.text) : document;
}

/** The built-in policy, version 0: every default. What a tenant without a policy of its own gets. */
export const DEFAULT_POLICY: ReadPolicy = readBuiltIn();

function readBuiltIn(): ReadPolicy {
  const read = readBody({ name: 'default' }, 'name: default\n');
  if (!read.ok) throw new Error('the built-in policy is not one');
  return read.value;
}

function parseText(text: string): Result<unknown, PolicyIssue[]> {
  if (Buffer.byteLength(text) > MAX_BYTES) return err([{ path: '', message: `is larger than ${MAX_BYTES} bytes` }]);
  try {
    const document = yaml().parseDocument(text, { prettyErrors: true, uniqueKeys: true, logLevel: 'silent' });
    if (document.errors.length > 0) return err(document.errors.slice(0, MAX_ISSUES).map(({ message }) => ({ path: '', message: message.trim() })));
    return ok(document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown);
  } catch (error) {
    return err([{ path: '', message: (error as Error).message }]);
  }
}

function readBody(written: unknown, text: string): Result<ReadPolicy, PolicyIssue[]> {
  if (Buffer.byteLength(text) > MAX_BYTES) return err([{ path: '', message: `is larger than ${MAX_BYTES} bytes` }]);
  const parsed = PushPolicy.safeParse(written);
  if (!parsed.success) {
    return err(parsed.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) => ({ path: path.map(String).join('.'), message })));
  }
  return ok({ text, body: parsed.data, digest: digestOf(parsed.data) });
}

/** What is decided by: the tests are for people and are left out of the log. */
export function withoutTests(body: PushPolicy): PushPolicy {
  return { ...body, tests: [] };
}

function digestOf(body: PushPolicy): string {
  return createHash('sha256')
    .update(stableStringify(withoutTests(body)))
    .digest('hex');
}
