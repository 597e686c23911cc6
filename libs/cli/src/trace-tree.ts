import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One span as `libs/telemetry` writes it, one JSON line each. */
export interface RecordedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly status?: string;
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
}

/** Reads every span of the folder; a line that was cut off by a crash is skipped. */
export function readSpans(folder: string): RecordedSpan[] {
  const spans: RecordedSpan[] = [];
  let files: string[];
  try {
    files = readdirSync(folder).filter((file) => file.endsWith('.jsonl'));
  } catch {
    return spans; // No folder: nothing was traced yet.
  }
  for (const file of files) {
    for (const text of readFileSync(path.join(folder, file), 'utf8').split('\n')) {
      if (text === '') continue;
      try {
        spans.push(JSON.parse(text) as RecordedSpan);
      } catch {
        // The last line of a killed process may be incomplete.
      }
    }
  }
  return spans;
}

export interface TraceSummary {
  readonly traceId: string;
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly spans: number;
  readonly services: readonly string[];
}

/** Traces, newest first. */
export function summarise(spans: readonly RecordedSpan[]): TraceSummary[] {
  const byTrace = groupByTrace(spans);
  return [...byTrace]
    .map(([traceId, own]) => {
      const ordered = own.toSorted((a, b) => a.startMs - b.startMs);
      const start = (ordered[0] as RecordedSpan).startMs;
      const end = Math.max(...own.map((span) => span.startMs + span.durationMs));
      return {
        traceId,
        name: (ordered[0] as RecordedSpan).name,
        startMs: start,
        durationMs: end - start,
        spans: own.length,
        services: [...new Set(ordered.map((span) => span.service))],
      };
    })
    .sort((a, b) => b.startMs - a.startMs);
}

function groupByTrace(spans: readonly RecordedSpan[]): Map<string, RecordedSpan[]> {
  const groups = new Map<string, RecordedSpan[]>();
  for (const span of spans) {
    const own = groups.get(span.traceId);
    if (own === undefined) groups.set(span.traceId, [span]);
    else own.push(span);
  }
  return groups;
}

/** One trace as an indented tree with a time bar; spans whose parent was not recorded stand at the top. */
export function drawTrace(spans: readonly RecordedSpan[]): string[] {
  const known = new Set(spans.map((span) => span.spanId));
  const start = Math.min(...spans.map((span) => span.startMs));
  const end = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  const scale = 40 / Math.max(1, end - start);
  const lines: string[] = [];
  const visit = (span: RecordedSpan, depth: number): void => {
    const from = Math.floor((span.startMs - start) * scale);
    const width = Math.max(1, Math.round(span.durationMs * scale));
    const bar = `${' '.repeat(from)}${'█'.repeat(Math.min(width, 41 - from))}`.padEnd(41);
    const label = `${'  '.repeat(depth)}${span.service}: ${span.name}`;
    lines.push(`${bar} ${span.durationMs.toFixed(1).padStart(8)} ms  ${label}${span.status === 'error' ? '  ✗' : ''}`);
    for (const child of spans.filter((candidate) => candidate.parentSpanId === span.spanId).sort((a, b) => a.startMs - b.startMs)) visit(child, depth + 1);
  };
  for (const root of spans.filter((span) => span.parentSpanId === undefined || !known.has(span.parentSpanId)).sort((a, b) => a.startMs - b.startMs))
    visit(root, 0);
  return lines;
}
