import type { z } from 'zod';
import type { InputOf, ResponseOf } from './define.js';
import { importSubscriptions } from './push.contracts.js';

/** A page leaves room for the envelope inside one NATS message of 1 MiB. */
const MAX_PAGE_BYTES = 500 * 1_024;
const MAX_PAGE_ROWS = 500;
/** So many refused rows are shown; all are counted. */
const MAX_SHOWN = 200;

type Row = InputOf<typeof importSubscriptions>['rows'][number];
type Answer = ResponseOf<typeof importSubscriptions>;

/** A row of a file of subscriptions. */
export interface SubscriptionLine {
  /** Where it stands, from 1. */
  readonly line: number;
  /** A JSON value; undefined when the line is none. */
  readonly value: unknown;
}

export interface RefusedRow {
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** One page of a file. With `refused` rows it must not be sent: a page is taken as a whole or not at all. */
export interface SubscriptionImportPage {
  readonly rows: Row[];
  readonly lines: number[];
  readonly refused: RefusedRow[];
}

const rowSchema = importSubscriptions.data.shape.rows.element;

/** JSON of a line of a file. */
export function subscriptionLine(text: string, line: number): SubscriptionLine {
  try {
    return { line, value: JSON.parse(text) };
  } catch {
    return { line, value: undefined }; // said with the number of the line by the page that it belongs to
  }
}

/** Groups rows into pages for `push.import-subscriptions`, and checks their shape. */
export async function* subscriptionPages(rows: AsyncIterable<SubscriptionLine>): AsyncGenerator<SubscriptionImportPage> {
  let page: SubscriptionImportPage = { rows: [], lines: [], refused: [] };
  let bytes = 0;
  for await (const { line, value } of rows) {
    const size = Buffer.byteLength(JSON.stringify(value) ?? '') + 1;
    if (page.lines.length > 0 && (page.lines.length >= MAX_PAGE_ROWS || bytes + size > MAX_PAGE_BYTES)) {
      yield page;
      page = { rows: [], lines: [], refused: [] };
      bytes = 0;
    }
    page.lines.push(line);
    bytes += size;
    const read = value === undefined ? undefined : rowSchema.safeParse(value);
    if (read?.success) page.rows.push(value as Row);
    else page.refused.push({ line, code: 'INVALID_REQUEST', message: read === undefined ? 'is not JSON' : issuesOf(read.error) });
  }
  if (page.lines.length > 0) yield page;
}

/** What an import came to, over all of its pages. */
export interface SubscriptionImportSummary {
  /** True when every page was taken. */
  readonly applied: boolean;
  readonly pages: { readonly applied: number; readonly refused: number };
  readonly rows: number;
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly removed: number;
  readonly refused: number;
  /** The first 200 of them. */
  readonly refusedRows: readonly RefusedRow[];
}

/** Sends pages one after another and adds up what becomes of them. A page with a refused row changes nothing; the others do. */
export async function importSubscriptionPages(
  pages: AsyncIterable<SubscriptionImportPage>,
  check: boolean,
  send: (data: { rows: Row[]; check: boolean }) => Promise<Answer>,
): Promise<SubscriptionImportSummary> {
  const done = { created: 0, updated: 0, unchanged: 0, removed: 0 };
  const taken = { applied: 0, refused: 0 };
  const refusedRows: RefusedRow[] = [];
  let rows = 0;
  let refused = 0;
  for await (const page of pages) {
    rows += page.lines.length;
    // With rows that are none, the others are only checked: their faults are to be known as well.
    const answer = page.rows.length === 0 ? undefined : await send({ rows: page.rows, check: check || page.refused.length > 0 });
    const all = [...page.refused, ...refusedIn(page, answer)].sort((a, b) => a.line - b.line);
    refused += all.length;
    refusedRows.push(...all.slice(0, MAX_SHOWN - refusedRows.length));
    if (all.length > 0) taken.refused += 1;
    else {
      if (answer?.applied === true) taken.applied += 1;
      for (const outcome of ['created', 'updated', 'unchanged', 'removed'] as const) done[outcome] += answer?.[outcome] ?? 0;
    }
  }
  return { applied: !check && taken.refused === 0, pages: taken, rows, ...done, refused, refusedRows };
}

function refusedIn({ lines, refused }: SubscriptionImportPage, answer: Answer | undefined): RefusedRow[] {
  const bad = new Set(refused.map(({ line }) => line));
  const sent = lines.filter((line) => !bad.has(line));
  return (answer?.rows ?? []).flatMap(({ outcome, code = 'INVALID_REQUEST', message = '' }, place) =>
    outcome === 'refused' ? [{ line: sent[place] ?? 0, code, message }] : [],
  );
}

function issuesOf({ issues }: z.ZodError): string {
  return issues
    .slice(0, 5)
    .map(({ path, message }) => `${path.map(String).join('.') || 'the row'}: ${message}`)
    .join('; ');
}
