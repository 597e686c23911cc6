import { isStorableText } from '@plexus/kernel';
import { matchesTypePattern } from './type-pattern.js';

/**
 * A condition over an event's `data`, as plain JSON: no code, nothing but comparing. `{all: […]}`, `{any: […]}`, `{not: …}`, or one
 * comparison `{path, op, value}`. It is checked when it is written, so that what is stored is bounded in depth, size and cost.
 */
export type Predicate = All | Any | Not | Comparison;
interface All {
  readonly all: readonly Predicate[];
}
interface Any {
  readonly any: readonly Predicate[];
}
interface Not {
  readonly not: Predicate;
}
type Scalar = string | number | boolean | null;
export interface Comparison {
  /** Names from the outside in, joined by `.`; of an array the place, from 0. An array of names where a name holds a dot. Empty = `data` itself. */
  readonly path: string | readonly string[];
  readonly op: ComparisonOp;
  readonly value: Scalar | readonly Scalar[];
}

/**
 * `ne` is exactly not `eq`, so it holds where nothing is. `gt`, `gte`, `lt`, `lte` compare two numbers, or two texts by code unit.
 * `in`: equal to one of an array. `contains`: an array with that element, or a text with that text. `like`: text, `*` = any run of
 * characters. `exists`: whether something is there (`value` true or false); null is something.
 */
export const COMPARISONS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'contains', 'startsWith', 'endsWith', 'like', 'exists'] as const;
export type ComparisonOp = (typeof COMPARISONS)[number];

/** What a predicate may cost. An event decides about thousands of subscriptions, so each of them is cheap. */
export const PREDICATE_LIMITS = {
  depth: 8,
  nodes: 64,
  pathNames: 16,
  characters: 256,
  values: 100,
  bytes: 8_192,
  elements: 1_000,
  textLength: 16_384,
} as const;

export interface PredicateIssue {
  readonly path: string;
  readonly message: string;
}
export type PredicateResult = { readonly ok: true; readonly value: Predicate } | { readonly ok: false; readonly issues: readonly PredicateIssue[] };

/** Checks what somebody wrote; every issue names where it is, from `at` on. Never throws. */
export function readPredicate(written: unknown, at = 'predicate'): PredicateResult {
  const reading: Reading = { nodes: 0, issues: [] };
  const value = readNode(written, at, 1, reading);
  if (reading.issues.length === 0 && Buffer.byteLength(JSON.stringify(value)) > PREDICATE_LIMITS.bytes) {
    reading.issues.push({ path: at, message: `is larger than ${PREDICATE_LIMITS.bytes} bytes` });
  }
  return reading.issues.length > 0 || value === undefined ? { ok: false, issues: reading.issues } : { ok: true, value };
}

/** Whether it holds for `data`. Pure, never throws, and its cost does not depend on the size of `data`. */
export function holds(predicate: Predicate, data: unknown): boolean {
  if ('all' in predicate) return predicate.all.every((part) => holds(part, data));
  if ('any' in predicate) return predicate.any.some((part) => holds(part, data));
  if ('not' in predicate) return !holds(predicate.not, data);
  return compares(predicate, valueAt(data, namesOf(predicate.path)));
}

interface Reading {
  nodes: number;
  readonly issues: PredicateIssue[];
}

const FORMS = 'must be {all: […]}, {any: […]}, {not: …} or {path, op, value}';

function readNode(written: unknown, at: string, depth: number, reading: Reading): Predicate | undefined {
  const refuse = (message: string, path = at): undefined => {
    // A predicate with many faults is told a few of them, never thousands.
    if (reading.issues.length < 20) reading.issues.push({ path, message });
    return undefined;
  };
  reading.nodes += 1;
  if (reading.nodes > PREDICATE_LIMITS.nodes)
    return reading.nodes === PREDICATE_LIMITS.nodes + 1 ? refuse(`has more than ${PREDICATE_LIMITS.nodes} parts`) : undefined;
  if (depth > PREDICATE_LIMITS.depth) return refuse(`is nested deeper than ${PREDICATE_LIMITS.depth}`);
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return refuse(FORMS);
  const node = written as Record<string, unknown>;
  const keys = Object.keys(node);
  const [only] = keys;
  if (keys.length === 1 && only === 'not') {
    const not = readNode(node.not, `${at}.not`, depth + 1, reading);
    return not && { not };
  }
  if (keys.length === 1 && (only === 'all' || only === 'any')) {
    const parts = node[only];
    if (!Array.isArray(parts) || parts.length === 0) return refuse('must be an array with at least one part', `${at}.${only}`);
    const read = parts.slice(0, PREDICATE_LIMITS.nodes + 1).map((part, place) => readNode(part, `${at}.${only}.${place}`, depth + 1, reading));
    const whole = read.filter((part) => part !== undefined);
    return only === 'all' ? { all: whole } : { any: whole };
  }
  const unknown = keys.find((key) => key !== 'path' && key !== 'op' && key !== 'value');
  if (unknown !== undefined || !('path' in node) || !('op' in node)) return refuse(FORMS);
  return readComparison(node, at, refuse);
}

type Refuse = (message: string, path?: string) => undefined;

function readComparison({ path, op, value }: Record<string, unknown>, at: string, refuse: Refuse): Comparison | undefined {
  const names = typeof path === 'string' ? namesOf(path) : path;
  const { pathNames, characters } = PREDICATE_LIMITS;
  if (!Array.isArray(names) || names.length > pathNames || !names.every((name) => isText(name))) {
    return refuse(`must be names joined by dots, or an array of names: at most ${pathNames}, each at most ${characters} characters`, `${at}.path`);
  }
  if (!COMPARISONS.includes(op as ComparisonOp)) return refuse(`must be one of ${COMPARISONS.join(', ')}`, `${at}.op`);
  const fault = valueFault(op as ComparisonOp, value);
  if (fault !== undefined) return refuse(fault, `${at}.value`);
  return { path: path as Comparison['path'], op: op as ComparisonOp, value: value as Comparison['value'] };
}

/** What is wrong with the value of a comparison; undefined = nothing. */
function valueFault(op: ComparisonOp, value: unknown): string | undefined {
  const { characters, values } = PREDICATE_LIMITS;
  const scalar = `must be a text of at most ${characters} characters, a number, true, false or null`;
  switch (op) {
    case 'exists':
      return typeof value === 'boolean' ? undefined : 'must be true or false';
    case 'in':
      if (!Array.isArray(value) || value.length === 0 || value.length > values) return `must be an array of 1 to ${values} values`;
      return value.every(isScalar) ? undefined : `each ${scalar}`;
    case 'startsWith':
    case 'endsWith':
    case 'like':
      return isText(value) ? undefined : `must be a text of at most ${characters} characters`;
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return isText(value) || isNumber(value) ? undefined : `must be a number or a text of at most ${characters} characters`;
    default:
      return isScalar(value) ? undefined : scalar;
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= PREDICATE_LIMITS.characters && isStorableText(value);
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isScalar = (value: unknown): value is Scalar => value === null || typeof value === 'boolean' || isNumber(value) || isText(value);

function namesOf(path: string | readonly string[]): readonly string[] {
  if (typeof path !== 'string') return path;
  return path === '' ? [] : path.split('.');
}

/** Own properties only: `constructor` and its like are not part of anybody's data. */
function valueAt(data: unknown, names: readonly string[]): unknown {
  let value = data;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    if (Array.isArray(value) && !/^(0|[1-9][0-9]{0,8})$/.test(name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function compares({ op, value: wanted }: Comparison, found: unknown): boolean {
  switch (op) {
    case 'eq':
      return found === wanted;
    case 'ne':
      return found !== wanted;
    case 'in':
      return Array.isArray(wanted) && wanted.some((one) => one === found);
    case 'exists':
      return (found !== undefined) === wanted;
    case 'contains':
      return contains(found, wanted);
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return isOrdered(op, found, wanted);
    default:
      return typeof found === 'string' && typeof wanted === 'string' && fits(op, found, wanted);
  }
}

/** Of arrays the first thousand elements, of texts the first 16,384 characters: no event makes matching slow. */
function contains(found: unknown, wanted: Comparison['value']): boolean {
  if (typeof found === 'string') return typeof wanted === 'string' && found.slice(0, PREDICATE_LIMITS.textLength).includes(wanted);
  return Array.isArray(found) && found.slice(0, PREDICATE_LIMITS.elements).some((element) => element === wanted);
}

function isOrdered(op: 'gt' | 'gte' | 'lt' | 'lte', found: unknown, wanted: Comparison['value']): boolean {
  const comparable = (typeof found === 'number' && typeof wanted === 'number') || (typeof found === 'string' && typeof wanted === 'string');
  if (!comparable) return false;
  const [a, b] = [found as number, wanted as number];
  if (op === 'gt') return a > b;
  if (op === 'gte') return a >= b;
  return op === 'lt' ? a < b : a <= b;
}

function fits(op: 'startsWith' | 'endsWith' | 'like', found: string, wanted: string): boolean {
  if (op === 'startsWith') return found.startsWith(wanted);
  if (op === 'endsWith') return found.endsWith(wanted);
  return matchesTypePattern(wanted, found.slice(0, PREDICATE_LIMITS.textLength));
}
