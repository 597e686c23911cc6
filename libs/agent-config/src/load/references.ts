import { err, ok, type Result } from '@plexus/kernel';
import type { ConfigIssue } from '../issue.js';
import { isForbiddenKey, isPlainObject } from './merge.js';

// `$${NAME}` is written for a literal `${NAME}`.
const REFERENCE = /(\$?)\$\{([A-Z_][A-Z0-9_]*)\}/g;
const ONLY_A_REFERENCE = /^\$\{([^}]*)\}$/;
const NAME = /^[A-Z_][A-Z0-9_]*$/;

/** A variable that a document refers to. */
export interface ReferenceUse {
  readonly name: string;
  /** Dotted path of the text that holds the reference. */
  readonly path: string;
}

/** Variables by name; an empty one counts as missing. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** Every reference in a document, in document order. */
export function referencesIn(document: unknown): ReferenceUse[] {
  const uses: ReferenceUse[] = [];
  walkTexts(document, (text, path) => {
    for (const [, doubled, name] of text.matchAll(REFERENCE)) if (doubled === '') uses.push({ name: name as string, path });
  });
  return uses;
}

/** Texts that are meant as a reference and are none: `${name}` with a name that no variable can have. */
export function brokenReferences(document: unknown): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  walkTexts(document, (text, path) => {
    const name = ONLY_A_REFERENCE.exec(text)?.[1];
    if (name === undefined || NAME.test(name)) return;
    const better = name
      .trim()
      .toUpperCase()
      .replaceAll(/[^A-Z0-9_]+/g, '_');
    const fix = NAME.test(better) ? `write \${${better}}` : `name a variable: \${NAME}`;
    issues.push({ path, code: 'bad_reference', message: 'names no variable: [A-Z_][A-Z0-9_]*', value: text.slice(0, 80), fix });
  });
  return issues;
}

/** References to variables that are missing or empty, one issue for each place, in document order. */
export function missingReferences(document: unknown, env: Variables): ConfigIssue[] {
  return referencesIn(document)
    .filter(({ name }) => variable(env, name) === undefined)
    .map(({ name, path }) => ({
      path,
      code: 'missing_reference',
      message: `the variable ${name} is not set, or empty`,
      value: `\${${name}}`,
      fix: `set ${name}, or write $\${${name}} for the text itself`,
    }));
}

/**
 * Replaces every `${NAME}` by the variable's value and `$${NAME}` by `${NAME}`. All missing variables are reported together; issues
 * name variables and places, never values. The result holds secrets: keep it out of logs and stores.
 */
export function resolveReferences<T>(document: T, env: Variables): Result<T, ConfigIssue[]> {
  const missing = missingReferences(document, env);
  if (missing.length > 0) return err(missing);
  return ok(
    mapTexts(document, (text) =>
      text.replaceAll(REFERENCE, (_, doubled: string, name: string) => (doubled === '' ? (variable(env, name) ?? '') : `\${${name}}`)),
    ) as T,
  );
}

/** Variables of a process, filled up with those that the document itself gives. */
export function referenceVariables(config: { readonly env?: Readonly<Record<string, string>> | undefined }, env: Variables): Variables {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  return { ...config.env, ...present };
}

function variable(env: Variables, name: string): string | undefined {
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  return value === '' ? undefined : value;
}

function walkTexts(value: unknown, visit: (text: string, path: string) => void, path = ''): void {
  if (typeof value === 'string') visit(value, path);
  else if (Array.isArray(value) || isPlainObject(value))
    for (const [key, inner] of Object.entries(value)) walkTexts(inner, visit, path === '' ? key : `${path}.${key}`);
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value);
  if (Array.isArray(value)) return value.map((inner) => mapTexts(inner, map));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (isForbiddenKey(key) ? [] : [[key, mapTexts(inner, map)]])));
}
