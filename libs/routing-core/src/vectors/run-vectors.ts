import { stableStringify } from '@plexus/kernel';
import type { Operation, VectorInput } from './operation.js';
import { type Suite, SUITES } from './suites.js';

/** A vector that did not hold. */
export interface VectorFailure {
  readonly name: string;
  readonly op?: string;
  readonly input: unknown;
  readonly expected: unknown;
  /** The value of the newer generation, where the file has one; either passes. */
  readonly alternative?: unknown;
  readonly got: unknown;
}

export interface VectorReport {
  readonly file: string;
  /** False: nothing here answers files of that name; it was skipped. */
  readonly known: boolean;
  readonly passed: number;
  readonly failures: readonly VectorFailure[];
}

/** Files that vectors may come in; others are skipped. */
export const VECTOR_FILES: readonly string[] = Object.keys(SUITES);

/**
 * Runs the vectors of one file through the library. `file` is the bare name, `content` the parsed JSON. A file that is no list, an entry
 * that is no vector and an operation that is not known are failures: a case nobody checked must not pass unseen. Never rejects.
 */
export async function runVectors(file: string, content: unknown): Promise<VectorReport> {
  const suite = Object.hasOwn(SUITES, file) ? SUITES[file] : undefined;
  if (!suite) return { file, known: false, passed: 0, failures: [] };
  if (!Array.isArray(content)) {
    return { file, known: true, passed: 0, failures: [{ name: '(file)', input: null, expected: 'a list of vectors', got: typeof content }] };
  }
  let passed = 0;
  const failures: VectorFailure[] = [];
  for (const [index, entry] of content.entries()) {
    const failure = await check(suite, entry, index);
    if (failure) failures.push(failure);
    else passed += 1;
  }
  return { file, known: true, passed, failures };
}

async function check(suite: Suite, entry: unknown, index: number): Promise<VectorFailure | undefined> {
  const vector = entry !== null && typeof entry === 'object' ? (entry as Record<string, unknown>) : {};
  const name = typeof vector.name === 'string' ? vector.name : `#${index}`;
  const { input, expected } = vector;
  if (input === null || typeof input !== 'object' || !('expected' in vector)) {
    return { name, input: entry, expected: 'a vector {name, input, expected}', got: null };
  }
  const op = typeof vector.op === 'string' ? vector.op : '';
  const accepted = 'alternative' in vector ? [expected, vector.alternative] : [expected];
  const got = await answer(operationOf(suite, op), input);
  if (accepted.some((value) => holds(value, got))) return undefined;
  return { name, ...(op === '' ? {} : { op }), input, expected, ...('alternative' in vector ? { alternative: vector.alternative } : {}), got };
}

function operationOf(suite: Suite, op: string): Operation {
  if (typeof suite === 'function') return suite;
  const operation = Object.hasOwn(suite, op) ? suite[op] : undefined;
  return operation ?? (() => Promise.reject(new Error(`no operation ${JSON.stringify(op)} is known in this file`)));
}

const THREW = Symbol('threw');

async function answer(operation: Operation, input: object): Promise<unknown> {
  try {
    return plain(await operation(withNaN(input) as VectorInput));
  } catch (error) {
    return Object.defineProperty({ error: error instanceof Error ? error.message : String(error) }, THREW, { value: true });
  }
}

/** The messages of errors are for people; that something was refused is what counts. */
function holds(expected: unknown, got: unknown): boolean {
  const threw = got !== null && typeof got === 'object' && THREW in got;
  const refuses = expected !== null && typeof expected === 'object' && 'error' in expected && Object.keys(expected).length === 1;
  return threw || refuses ? threw && refuses : stableStringify(expected) === stableStringify(got);
}

/** What JSON would carry: absent is null, NaN the text that stands for it. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  return JSON.parse(JSON.stringify(value, (_, part: unknown) => (typeof part === 'number' && Number.isNaN(part) ? 'NaN' : part)));
}

/** In vectors the text `NaN` stands for the number. */
function withNaN(value: unknown): unknown {
  if (value === 'NaN') return Number.NaN;
  if (Array.isArray(value)) return value.map(withNaN);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withNaN(part)]));
}
